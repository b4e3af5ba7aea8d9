# Three accounts, each with what its part needs and no more. None of them has a key.

resource "google_service_account" "worker" {
  account_id   = "${local.name}-worker"
  display_name = "Thresher: workers and conductor of Dataflow jobs"
}

resource "google_service_account" "launcher" {
  account_id   = "${local.name}-launcher"
  display_name = "Thresher: the workflow that launches the template"
}

resource "google_service_account" "scheduler" {
  account_id   = "${local.name}-scheduler"
  display_name = "Thresher: the schedule that starts the workflow"
}

# Workers: do Dataflow's work; the conductor among them also starts jobs, which run as the same account.
resource "google_project_iam_member" "worker" {
  for_each = toset([
    "roles/bigquery.jobUser",
    "roles/bigquery.readSessionUser",
    "roles/dataflow.developer",
    "roles/dataflow.worker",
  ])
  project = var.project
  role    = each.value
  member  = google_service_account.worker.member
}

resource "google_service_account_iam_member" "worker_as_itself" {
  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "worker" {
  for_each = toset(["roles/storage.legacyBucketReader", "roles/storage.objectUser"])
  bucket   = google_storage_bucket.data.name
  role     = each.value
  member   = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "inputs" {
  for_each = var.input_buckets
  bucket   = each.value
  role     = "roles/storage.objectViewer"
  member   = google_service_account.worker.member
}

resource "google_artifact_registry_repository_iam_member" "worker" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.worker.member
}

resource "google_bigquery_dataset_iam_member" "results" {
  dataset_id = google_bigquery_dataset.results.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.worker.member
}

resource "google_bigquery_dataset_iam_member" "read" {
  for_each   = var.bigquery_datasets
  dataset_id = each.value
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.worker.member
}

# Launcher: starts a job that runs as the worker, and reads the template.
resource "google_project_iam_member" "launcher" {
  for_each = toset(["roles/dataflow.developer", "roles/logging.logWriter"])
  project  = var.project
  role     = each.value
  member   = google_service_account.launcher.member
}

resource "google_service_account_iam_member" "launcher_as_worker" {
  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.launcher.member
}

resource "google_storage_bucket_iam_member" "launcher" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.launcher.member
}

# Scheduler: starts workflows.
resource "google_project_iam_member" "scheduler" {
  project = var.project
  role    = "roles/workflows.invoker"
  member  = google_service_account.scheduler.member
}
