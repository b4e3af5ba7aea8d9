variable "project" {
  description = "The project's id."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "Expected a project's id, such as my-project."
  }
}

variable "region" {
  description = "Where everything is: bucket, image, jobs, schedule."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Expected a region, such as europe-west4."
  }
}

variable "image" {
  description = "The container image of workers and launcher, with its tag or digest."
  type        = string
}

variable "specification" {
  description = "The template's specification, JSON: python -m infra.flex.metadata IMAGE."
  type        = string

  validation {
    condition     = can(jsondecode(var.specification).image)
    error_message = "Expected the JSON that python -m infra.flex.metadata IMAGE prints."
  }
}

variable "parameters" {
  description = "The template's parameters for scheduled runs: recipe, input and any others; not output."
  type        = map(string)

  validation {
    condition     = contains(keys(var.parameters), "recipe") && contains(keys(var.parameters), "input")
    error_message = "Expected at least recipe and input (infra/flex/metadata.json has them all)."
  }

  validation {
    condition     = !contains(keys(var.parameters), "output")
    error_message = "The schedule names the output itself: the folder of the dataset that it refreshes."
  }
}

variable "dataset" {
  description = "The dataset's name: it lies in the bucket as sets/NAME."
  type        = string
  default     = "code"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]*$", var.dataset))
    error_message = "Expected lower-case letters, digits, - and _."
  }
}

variable "schedule" {
  description = "When a refresh starts, as cron writes it."
  type        = string
  default     = "0 3 1 * *"
}

variable "time_zone" {
  description = "The schedule's time zone."
  type        = string
  default     = "Etc/UTC"
}

variable "paused" {
  description = "Whether the schedule waits; a run can be started by hand all the same."
  type        = bool
  default     = false
}

variable "input_buckets" {
  description = "Other buckets that are read."
  type        = set(string)
  default     = []
}

variable "bigquery_datasets" {
  description = "BigQuery datasets of this project that are read; public ones need no entry."
  type        = set(string)
  default     = []
}

variable "subnetwork" {
  description = "The workers' subnetwork (regions/R/subnetworks/S), with Private Google Access; empty is the default network."
  type        = string
  default     = ""
}

variable "notify" {
  description = "Where alerts are sent: an e-mail address; empty makes policies that notify nobody."
  type        = string
  default     = ""
}

variable "least_kept_share" {
  description = "An alert is raised when a smaller share of files is kept, 0 to 1."
  type        = number
  default     = 0.02

  validation {
    condition     = var.least_kept_share >= 0 && var.least_kept_share <= 1
    error_message = "Expected a share from 0 to 1."
  }
}

variable "most_kept_share" {
  description = "An alert is raised when a larger share of files is kept, 0 to 1: then a filter does nothing."
  type        = number
  default     = 0.95

  validation {
    condition     = var.most_kept_share >= 0 && var.most_kept_share <= 1
    error_message = "Expected a share from 0 to 1."
  }
}

variable "keep_temporary_days" {
  description = "Days after which what jobs left below temp/ and staging/ is deleted."
  type        = number
  default     = 14
}

variable "keep_images" {
  description = "How many of the newest images are kept."
  type        = number
  default     = 10
}
