#!/bin/sh
set -eu

migrate() {
  kubectl delete job migrate --ignore-not-found # that of the last release
  kubectl apply -f job.yaml
  kubectl wait --for=condition=complete --timeout=60m job/migrate
}

migrate
kubectl apply -f deployment.yaml
kubectl rollout status deployment/shop --timeout=10m
migrate # the tenants that the old code has created meanwhile
