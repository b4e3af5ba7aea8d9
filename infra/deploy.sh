#!/bin/sh
# From a configured project to a scheduled pipeline: registry, image, template, accounts, schedule, alerts.
#   make deploy PROJECT=my-project REGION=europe-west4 INPUT='parquet:gs://my-bucket/code/*.parquet' [RECIPE=codex] [VARS=my.tfvars]
# Run it again after any change: what is there already is left as it is.
set -eu

: "${PROJECT:?PROJECT=my-project is missing}"
: "${REGION:?REGION=europe-west4 is missing}"
: "${INPUT:?INPUT is missing: what is read, such as parquet:gs://my-bucket/code/*.parquet}"
RECIPE=${RECIPE:-codex}
VARS=${VARS:-}
case $VARS in "" | /*) ;; *) VARS=$PWD/$VARS ;; esac
PYTHON=${PYTHON:-python3}

for program in gcloud terraform "$PYTHON"; do
  command -v "$program" >/dev/null || { echo "$program not found: docs/dataflow.md says what is needed" >&2; exit 2; }
done

root=$(cd "$(dirname "$0")/.." && pwd)
terraform="terraform -chdir=$root/infra/terraform"
state="$PROJECT-thresher-state"
repository="$REGION-docker.pkg.dev/$PROJECT/thresher"
image="$repository/thresher:$("$PYTHON" -c 'import time; print(time.strftime("%Y%m%d-%H%M%S", time.gmtime()))')"

export TF_IN_AUTOMATION=1 TF_INPUT=0
export TF_VAR_project="$PROJECT" TF_VAR_region="$REGION" TF_VAR_image="$image"
TF_VAR_parameters=$(RECIPE="$RECIPE" INPUT="$INPUT" "$PYTHON" -c \
  'import json, os; print(json.dumps({"recipe": os.environ["RECIPE"], "input": os.environ["INPUT"]}))')
TF_VAR_specification=$(cd "$root" && "$PYTHON" -m infra.flex.metadata "$image")
export TF_VAR_parameters TF_VAR_specification

echo "1/5 the state's bucket" >&2
gcloud services enable serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com \
  storage.googleapis.com --project "$PROJECT"
gcloud storage buckets describe "gs://$state" --project "$PROJECT" >/dev/null 2>&1 ||
  gcloud storage buckets create "gs://$state" --project "$PROJECT" --location "$REGION" \
    --uniform-bucket-level-access --public-access-prevention
gcloud storage buckets update "gs://$state" --versioning

echo "2/5 Terraform" >&2
$terraform init -reconfigure -backend-config="bucket=$state" -backend-config="prefix=thresher" >/dev/null

echo "3/5 the registry" >&2
$terraform apply -auto-approve ${VARS:+-var-file="$VARS"} -target=google_artifact_registry_repository.images

echo "4/5 the image, some ten minutes" >&2
gcloud builds submit "$root" --project "$PROJECT" --region "$REGION" --config "$root/infra/cloudbuild.yaml" \
  --ignore-file "infra/Dockerfile.dockerignore" --substitutions "_IMAGE=$image"

echo "5/5 template, accounts, schedule, alerts" >&2
$terraform apply -auto-approve ${VARS:+-var-file="$VARS"}
$terraform output
