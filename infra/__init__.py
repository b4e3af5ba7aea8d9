"""Deployment on Google Cloud: container image, Flex Template, Terraform. Nothing imports this; see docs/dataflow.md."""
