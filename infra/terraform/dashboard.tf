locals {
  charts = {
    "Elapsed time of jobs, s"       = ["dataflow_job", "dataflow.googleapis.com/job/elapsed_time", "ALIGN_MAX"]
    "Cores of jobs"                 = ["dataflow_job", "dataflow.googleapis.com/job/current_num_vcpus", "ALIGN_MAX"]
    "Core seconds of jobs"          = ["dataflow_job", "dataflow.googleapis.com/job/total_vcpu_time", "ALIGN_MAX"]
    "Bytes shuffled"                = ["dataflow_job", "dataflow.googleapis.com/job/total_shuffle_data_processed", "ALIGN_MAX"]
    "Files read by builds"          = ["dataflow_step", "logging.googleapis.com/user/${google_logging_metric.figure["files_read"].name}", "ALIGN_DELTA"]
    "Share of files that was kept"  = ["dataflow_step", "logging.googleapis.com/user/${google_logging_metric.figure["files_share"].name}", "ALIGN_DELTA"]
    "Tokens written"                = ["dataflow_step", "logging.googleapis.com/user/${google_logging_metric.figure["tokens"].name}", "ALIGN_DELTA"]
    "Builds that the guard stopped" = ["dataflow_step", "logging.googleapis.com/user/${google_logging_metric.guard.name}", "ALIGN_DELTA"]
  }
  titles = keys(local.charts)
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Thresher"
    labels      = { app = "" }

    mosaicLayout = {
      columns = 12

      tiles = [
        for at, title in local.titles : {
          xPos   = (at % 2) * 6
          yPos   = floor(at / 2) * 4
          width  = 6
          height = 4

          widget = {
            title = title

            xyChart = {
              dataSets = [{
                plotType = "LINE"

                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = "resource.type=\"${local.charts[title][0]}\" AND metric.type=\"${local.charts[title][1]}\""

                    aggregation = {
                      alignmentPeriod    = "300s"
                      perSeriesAligner   = local.charts[title][2]
                      crossSeriesReducer = local.charts[title][2] == "ALIGN_DELTA" && !strcontains(title, "guard") ? "REDUCE_MEAN" : "REDUCE_SUM"
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })
}
