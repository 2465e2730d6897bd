{{/* What objects are called: sentinels, or the release's name where it says something else. */}}
{{- define "sentinels.fullname" -}}
{{- $name := default .Release.Name .Values.fullnameOverride -}}
{{- if and (not .Values.fullnameOverride) (not (contains "sentinels" .Release.Name)) -}}
{{- $name = printf "%s-sentinels" .Release.Name -}}
{{- end -}}
{{- $name | trunc 38 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of an object: (list $ "component"). */}}
{{- define "sentinels.labels" -}}
{{- $root := index . 0 -}}
{{ include "sentinels.selector" . }}
app.kubernetes.io/part-of: sentinels
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* The labels that pods are found by; they never change: (list $ "component"). */}}
{{- define "sentinels.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{/* Labels of a pod; they change with no version, or every upgrade would restart everything. */}}
{{- define "sentinels.podLabels" -}}
{{ include "sentinels.selector" . }}
app.kubernetes.io/part-of: sentinels
{{- end -}}

{{- define "sentinels.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "sentinels.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Pod security "restricted", for any pod that needs no more: (list uid) or with a group of its volumes. */}}
{{- define "sentinels.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sentinels.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where the heavy services go. */}}
{{- define "sentinels.dedicated" -}}
{{- with .Values.dedicatedNode }}
nodeSelector: {kubernetes.io/hostname: {{ . | quote }}}
tolerations:
  - {key: sentinels.dev/dedicated, operator: Exists}
{{- end }}
{{- end -}}

{{/* A volume claim template: (list $ "name" persistence). */}}
{{- define "sentinels.claim" -}}
{{- $persistence := index . 2 -}}
- metadata:
    name: {{ index . 1 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- if not (kindIs "invalid" $persistence.storageClass) }}
    storageClassName: {{ $persistence.storageClass | quote }}
    {{- end }}
    resources: {requests: {storage: {{ $persistence.size }}}}
{{- end -}}

{{/* What becomes of a stateful set's volumes when the release goes. */}}
{{- define "sentinels.retention" -}}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: {{ .Values.keepData | ternary "Retain" "Delete" }}
  whenScaled: Retain
{{- end -}}

{{/* A password that outlives upgrades: (list $ "secret" "key"). */}}
{{- define "sentinels.password" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $kept := index ($found.data | default dict) (index . 2) -}}
{{- if $kept -}}{{ $kept | b64dec }}{{- else -}}{{ randAlphaNum 32 }}{{- end -}}
{{- end -}}

{{/* The secret with the addresses of the databases. */}}
{{- define "sentinels.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{ include "sentinels.fullname" . }}-database
{{- else -}}
{{ .Values.postgresql.external.existingSecret | default (printf "%s-database" (include "sentinels.fullname" .)) }}
{{- end -}}
{{- end -}}

{{- define "sentinels.slackSecret" -}}
{{- if .Values.slack.existingSecret -}}
{{ .Values.slack.existingSecret }}
{{- else if or .Values.slack.token .Values.slack.webhook -}}
{{ include "sentinels.fullname" . }}-slack
{{- end -}}
{{- end -}}

{{- define "sentinels.noticesSecret" -}}
{{- if .Values.notices.existingSecret -}}
{{ .Values.notices.existingSecret }}
{{- else if or .Values.notices.smtpUrl .Values.notices.webhooks -}}
{{ include "sentinels.fullname" . }}-notices
{{- end -}}
{{- end -}}

{{/* A component's address in the cluster: (list $ "component" port). */}}
{{- define "sentinels.url" -}}
http://{{ include "sentinels.fullname" (index . 0) }}-{{ index . 1 }}.{{ (index . 0).Release.Namespace }}.svc:{{ index . 2 }}
{{- end -}}

{{- define "sentinels.mlflowUrl" -}}
{{- if .Values.mlflow.enabled -}}
{{ include "sentinels.url" (list . "mlflow" 5000) }}
{{- else -}}
{{ .Values.mlflow.external.url }}
{{- end -}}
{{- end -}}

{{/* The settings that all functions share, as data of a ConfigMap. The sink is the runtime's own. */}}
{{- define "sentinels.settings" -}}
{{- $own := dict
  "cluster" "kubernetes"
  "tracker_url" (include "sentinels.mlflowUrl" .)
  "tracker_public_url" .Values.mlflow.publicUrl
  "sidecar_image" (include "sentinels.image" .)
  "slack_channel" .Values.slack.channel
  "smtp_from" .Values.notices.mailFrom
  "oncall" .Values.notices.oncall
  "knative_namespace" (eq .Values.functions.runtime "knative" | ternary .Release.Namespace "")
  "search_url" (include "sentinels.searchSecret" . | empty | ternary (include "sentinels.searchUrl" .) "")
  "logs_page_url" (include "sentinels.logsPageUrl" .)
  "prometheus_url" (include "sentinels.prometheusUrl" .)
  "dispatch_schedule" .Values.functions.tick.dispatch
  "notify_schedule" .Values.functions.tick.notify
  "database_volume" (.Values.postgresql.enabled | ternary .Values.postgresql.persistence.size "") -}}
{{- range $name, $value := merge (dict) .Values.settings $own }}
{{- if not (eq (toString $value) "") }}
SENTINELS_{{ upper $name }}: {{ (kindIs "string" $value | ternary $value (toJson $value)) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a function's environment comes from. */}}
{{- define "sentinels.envFrom" -}}
envFrom:
  - configMapRef: {name: {{ include "sentinels.fullname" . }}-settings}
{{- end -}}

{{/* A function's own environment. Secrets are read by reference, so that none is in a ConfigMap. */}}
{{- define "sentinels.env" -}}
- name: SENTINELS_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "sentinels.databaseSecret" . }}, key: url}}
- name: SENTINELS_REPORT_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "sentinels.databaseSecret" . }}, key: report-url, optional: true}}
{{- with include "sentinels.searchSecret" . }}
- name: SENTINELS_SEARCH_URL
  valueFrom: {secretKeyRef: {name: {{ . }}, key: url}}
{{- end }}
{{- with include "sentinels.slackSecret" . }}
- name: SENTINELS_SLACK_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . }}, key: token, optional: true}}
- name: SENTINELS_SLACK_WEBHOOK
  valueFrom: {secretKeyRef: {name: {{ . }}, key: webhook, optional: true}}
{{- end }}
{{- with include "sentinels.noticesSecret" . }}
- name: SENTINELS_SMTP_URL
  valueFrom: {secretKeyRef: {name: {{ . }}, key: smtp-url, optional: true}}
- name: SENTINELS_WEBHOOKS
  valueFrom: {secretKeyRef: {name: {{ . }}, key: webhooks, optional: true}}
{{- end }}
{{- end -}}

{{/* What restarts the functions when it changes. */}}
{{- define "sentinels.checksum" -}}
sentinels.dev/settings: {{ printf "%s%s" (include "sentinels.settings" .) (toJson (list .Values.slack .Values.notices .Values.postgresql.external)) | sha256sum | trunc 16 }}
{{- end -}}

{{/* The host names of MLflow's public address, with and without a port, as a JSON list. */}}
{{- define "sentinels.publicHosts" -}}
{{- $hosts := list -}}
{{- with .Values.mlflow.publicUrl -}}
{{- $host := (urlParse .).host -}}
{{- $hosts = list $host (printf "%s:*" (splitList ":" $host | first)) -}}
{{- end -}}
{{ $hosts | toJson }}
{{- end -}}
