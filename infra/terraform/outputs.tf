output "bucket" {
  description = "The bucket of datasets, templates and temporary files."
  value       = google_storage_bucket.data.name
}

output "template" {
  description = "The template's specification, to launch by hand."
  value       = "gs://${google_storage_bucket.data.name}/${google_storage_bucket_object.template.name}"
}

output "worker" {
  description = "The account that jobs run as: --service_account_email of thresher build --runner dataflow."
  value       = google_service_account.worker.email
}

output "image" {
  description = "The image of workers: --sdk_container_image of thresher build --runner dataflow."
  value       = var.image
}

output "run_now" {
  description = "The command that starts a refresh at once."
  value       = "gcloud workflows run ${google_workflows_workflow.refresh.name} --project ${var.project} --location ${var.region}"
}
