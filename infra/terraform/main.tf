locals {
  name   = "thresher"
  labels = { app = local.name }

  apis = [
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "storage.googleapis.com",
    "workflows.googleapis.com",
  ]
}

resource "google_project_service" "api" {
  for_each           = toset(local.apis)
  service            = each.value
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "images" {
  repository_id = local.name
  format        = "DOCKER"
  location      = var.region
  description   = "Images of Thresher's workers and launcher."
  labels        = local.labels

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = var.keep_images
    }
  }

  cleanup_policies {
    id     = "delete-older"
    action = "DELETE"

    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket" "data" {
  name                        = "${var.project}-${local.name}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = local.labels

  # What is overwritten or deleted can be had back for a week, and no longer: a takedown must end.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.keep_temporary_days
      matches_prefix = ["temp/", "staging/"]
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 7
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_object" "template" {
  bucket       = google_storage_bucket.data.name
  name         = "templates/${local.name}.json"
  content      = var.specification
  content_type = "application/json"
}

resource "google_bigquery_dataset" "results" {
  dataset_id                  = local.name
  location                    = var.region
  description                 = "Results of queries that datasets are built from; deleted after a month."
  default_table_expiration_ms = 2592000000
  labels                      = local.labels

  depends_on = [google_project_service.api]
}
