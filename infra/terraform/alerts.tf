# What the conductor logs (pipelines/conductor.py) becomes metrics; jobs and workflows have metrics of their own.

locals {
  worker_log = "resource.type=\"dataflow_step\" AND log_id(\"dataflow.googleapis.com/worker\")"
  finished   = "${local.worker_log} AND jsonPayload.message=~\"^thresher finished \""
  channels   = [for channel in google_monitoring_notification_channel.email : channel.id]

  figures = {
    files_share = "share of files that were kept"
    bytes_share = "share of bytes that were kept"
    files_read  = "files read"
    files_kept  = "files kept"
    tokens      = "tokens written"
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.notify == "" ? toset([]) : toset([var.notify])
  display_name = "Thresher"
  type         = "email"
  labels       = { email_address = each.value }
}

resource "google_logging_metric" "figure" {
  for_each        = local.figures
  name            = "${local.name}/${each.key}"
  description     = "Of a finished build: ${each.value}."
  filter          = local.finished
  value_extractor = "REGEXP_EXTRACT(jsonPayload.message, \"\\\"${each.key}\\\": ([0-9.]+)\")"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
  }

  bucket_options {
    exponential_buckets {
      num_finite_buckets = 64
      growth_factor      = 2
      scale              = 0.0001
    }
  }
}

resource "google_logging_metric" "guard" {
  name        = "${local.name}/guard"
  description = "Builds that the guard stopped, because one rule dropped nearly all of a language or repository."
  filter      = "${local.worker_log} AND jsonPayload.message=~\"^error: guard:\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_alert_policy" "failed_job" {
  display_name          = "Thresher: a job failed"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "Dataflow says that a job failed"

    condition_threshold {
      filter          = "resource.type=\"dataflow_job\" AND metric.type=\"dataflow.googleapis.com/job/is_failed\" AND resource.labels.job_name=monitoring.regex.full_match(\"thresher-.*\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "The same parameters go on where it stopped: gcloud workflows run thresher-refresh. Its log says why it failed; docs/dataflow.md has what to look for."
  }
}

resource "google_monitoring_alert_policy" "failed_refresh" {
  display_name          = "Thresher: a refresh failed"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "The workflow did not succeed"

    condition_threshold {
      filter          = "resource.type=\"workflows.googleapis.com/Workflow\" AND metric.type=\"workflows.googleapis.com/finished_execution_count\" AND resource.labels.workflow_id=\"${google_workflows_workflow.refresh.name}\" AND metric.labels.status!=\"SUCCEEDED\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "guard" {
  display_name          = "Thresher: the guard stopped a build"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "One rule drops nearly all of a language or repository"

    condition_threshold {
      filter          = "resource.type=\"dataflow_step\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.guard.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "funnel" {
  display_name          = "Thresher: an implausible funnel"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "Fewer files are kept than is plausible"

    condition_threshold {
      filter          = "resource.type=\"dataflow_step\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.figure["files_share"].name}\""
      comparison      = "COMPARISON_LT"
      threshold_value = var.least_kept_share
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_MEAN"
      }
    }
  }

  conditions {
    display_name = "More files are kept than is plausible"

    condition_threshold {
      filter          = "resource.type=\"dataflow_step\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.figure["files_share"].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.most_kept_share
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_MEAN"
      }
    }
  }
}
