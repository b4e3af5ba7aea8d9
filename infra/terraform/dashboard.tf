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
  # Counters of the program itself, by the names of pipelines/metrics.py; a value is a regular expression.
  counters = {
    "Files read by jobs"              = "files_read"
    "Files without text, by problem"  = "files_marked/.*"
    "Files dropped, by rule"          = "rule/.*/dropped"
    "Files measured and reused"       = "files_(measured|reused)"
    "Tokens written by jobs"          = "tokens_written"
    "Milliseconds a batch, by kernel" = "kernel/.*/milliseconds_MEAN"
    "Milliseconds a unit, by stage"   = "stage/.*/unit_milliseconds_MEAN"
  }

  user_counter = "dataflow.googleapis.com/job/user_counter"
  plots = merge(
    {
      for title, chart in local.charts : title => {
        filter  = "resource.type=\"${chart[0]}\" AND metric.type=\"${chart[1]}\""
        aligner = chart[2]
        reducer = chart[2] == "ALIGN_DELTA" && !strcontains(title, "guard") ? "REDUCE_MEAN" : "REDUCE_SUM"
        groups  = []
      }
    },
    {
      for title, names in local.counters : title => {
        filter  = "resource.type=\"dataflow_job\" AND metric.type=\"${local.user_counter}\" AND metric.labels.metric_name=monitoring.regex.full_match(\"${names}\")"
        aligner = "ALIGN_MAX"
        reducer = endswith(names, "_MEAN") ? "REDUCE_MEAN" : "REDUCE_SUM"
        groups  = ["metric.label.metric_name"]
      }
    },
  )
  titles = keys(local.plots)
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
                    filter = local.plots[title].filter

                    aggregation = {
                      alignmentPeriod    = "300s"
                      perSeriesAligner   = local.plots[title].aligner
                      crossSeriesReducer = local.plots[title].reducer
                      groupByFields      = local.plots[title].groups
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
