resource "google_workflows_workflow" "refresh" {
  name            = "${local.name}-refresh"
  region          = var.region
  description     = "Launches the template and waits for its job."
  service_account = google_service_account.launcher.id
  source_contents = file("${path.module}/workflow.yaml")
  labels          = local.labels

  # Changing or losing it costs nothing: it is made again from the file.
  deletion_protection = false

  user_env_vars = {
    PROJECT    = var.project
    REGION     = var.region
    BUCKET     = google_storage_bucket.data.name
    TEMPLATE   = "gs://${google_storage_bucket.data.name}/${google_storage_bucket_object.template.name}"
    IMAGE      = var.image
    WORKER     = google_service_account.worker.email
    SUBNETWORK = var.subnetwork
    DATASET    = var.dataset
    PARAMETERS = jsonencode(var.parameters)
  }

  depends_on = [google_project_service.api]
}

resource "google_cloud_scheduler_job" "refresh" {
  name             = "${local.name}-refresh"
  region           = var.region
  description      = "Starts a refresh."
  schedule         = var.schedule
  time_zone        = var.time_zone
  paused           = var.paused
  attempt_deadline = "180s"

  retry_config {
    retry_count = 3
  }

  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/${google_workflows_workflow.refresh.id}/executions"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ argument = "{}" }))

    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }

  depends_on = [google_project_service.api]
}
