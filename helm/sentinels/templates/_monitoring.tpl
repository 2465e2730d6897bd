{{/* Where logs are kept, and where use is watched: the chart's own parts, yours, or nothing. */}}
{{- define "sentinels.searchUrl" -}}
{{- if .Values.elasticsearch.enabled -}}
{{ include "sentinels.url" (list . "elasticsearch" 9200) }}
{{- else -}}
{{ .Values.elasticsearch.external.url }}
{{- end -}}
{{- end -}}

{{/* Your secret with the search store's address and password; empty: there is none. */}}
{{- define "sentinels.searchSecret" -}}
{{- .Values.elasticsearch.enabled | ternary "" .Values.elasticsearch.external.existingSecret -}}
{{- end -}}

{{- define "sentinels.prometheusUrl" -}}
{{- if .Values.prometheus.enabled -}}
{{ include "sentinels.url" (list . "prometheus" 9090) }}
{{- else -}}
{{ .Values.prometheus.external.url }}
{{- end -}}
{{- end -}}

{{/* The Alertmanager that Prometheus tells, as host:port; empty: none. */}}
{{- define "sentinels.alertmanagerTarget" -}}
{{- if .Values.alertmanager.enabled -}}
{{ include "sentinels.url" (list . "alertmanager" 9093) | trimPrefix "http://" }}
{{- else -}}
{{ .Values.alertmanager.external.target }}
{{- end -}}
{{- end -}}

{{/* What Prometheus works out by itself, for the namespaces that the teams have. */}}
{{- define "sentinels.recordingRules" -}}
{{ .Files.Get "files/recording.yml" | replace "sen-" (.Values.settings.namespace_prefix | default "sen-") }}
{{- end -}}

{{/* What it alerts of. */}}
{{- define "sentinels.alertRules" -}}
{{ .Files.Get "files/alerts.yml" | replace "> 12 * 3600" (printf "> %v * 3600" .Values.prometheus.waitHours) }}
{{- end -}}

{{/* Which key of Slack's secret alerts are sent with: token or webhook; empty: nobody is told. */}}
{{- define "sentinels.slackKey" -}}
{{- if .Values.slack.existingSecret -}}
{{ .Values.alertmanager.slackKey }}
{{- else if .Values.slack.token -}}
token
{{- else if .Values.slack.webhook -}}
webhook
{{- end -}}
{{- end -}}

{{/* A Service with one port, called http: (list $ "component" port). */}}
{{- define "sentinels.service" -}}
{{- $root := index . 0 -}}
{{- $component := list $root (index . 1) -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "sentinels.fullname" $root }}-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "sentinels.labels" $component | nindent 4 }}
spec:
  selector: {{- include "sentinels.selector" $component | nindent 4 }}
  ports:
    - {name: http, port: {{ index . 2 }}, targetPort: http}
{{- end -}}

{{/* Name, namespace and labels of a component's object, to be indented: (list $ "component"). */}}
{{- define "sentinels.metadata" -}}
name: {{ include "sentinels.fullname" (index . 0) }}-{{ index . 1 }}
namespace: {{ (index . 0).Release.Namespace }}
labels: {{- include "sentinels.labels" . | nindent 2 }}
{{- end -}}

{{/* An account with a ClusterRole of its own: (list $ "component" rules). */}}
{{- define "sentinels.clusterAccount" -}}
{{- $root := index . 0 -}}
{{- $component := list $root (index . 1) -}}
{{- $name := printf "%s-%s" (include "sentinels.fullname" $root) (index . 1) -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "sentinels.metadata" $component | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $root.Release.Namespace }}-{{ $name }}
  labels: {{- include "sentinels.labels" $component | nindent 4 }}
rules: {{- toYaml (index . 2) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $root.Release.Namespace }}-{{ $name }}
  labels: {{- include "sentinels.labels" $component | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $root.Release.Namespace }}-{{ $name }}}
subjects: [{kind: ServiceAccount, name: {{ $name }}, namespace: {{ $root.Release.Namespace }}}]
{{- end -}}

{{/* Alertmanager's own settings: to Slack, where it is known. */}}
{{- define "sentinels.alertmanagerSettings" -}}
{{- $key := include "sentinels.slackKey" . -}}
templates: [/etc/alertmanager/slack.tmpl]
route:
  receiver: {{ empty $key | ternary "nobody" "slack" }}
  group_by: [alertname]
  group_wait: 15s
  group_interval: 2m
  repeat_interval: 6h
# What follows from another trouble is not told beside it.
inhibit_rules:
  - source_matchers: [alertname="SentinelsDatabaseIsDown"]
    target_matchers: [alertname=~"Sentinels(IsSilent|MakesNoPass|SourceIsSilent|OutboxIsStuck)"]
  - source_matchers: [alertname="SentinelsMakesNoPass"]
    target_matchers: [alertname=~"Sentinels(SourceIsSilent|LaunchesAreAbandoned)"]
receivers:
  - name: nobody
  {{- if $key }}
  - name: slack
    slack_configs:
      - channel: {{ .Values.alertmanager.channel | default .Values.slack.channel | quote }}
        {{- if eq $key "token" }}
        api_url: {{ .Values.alertmanager.slackApiUrl }}chat.postMessage
        http_config: {authorization: {credentials_file: /etc/slack/token}}
        {{- else }}
        api_url_file: /etc/slack/webhook
        {{- end }}
        send_resolved: true
        username: Sentinels
        color: '{{ `{{ template "sentinels.colour" . }}` }}'
        title: '{{ `{{ template "sentinels.title" . }}` }}'
        title_link: ""
        text: '{{ `{{ template "sentinels.text" . }}` }}'
        fallback: '{{ `{{ template "sentinels.title" . }}` }}'
  {{- end }}
{{- end -}}

{{/* How a line is kept, for what the teams' namespaces are called. */}}
{{- define "sentinels.record" -}}
{{- $prefix := .Values.settings.namespace_prefix | default "sen-" | quote -}}
{{ .Files.Get "files/record.lua" | replace "local PREFIX = \"sen-\"" (printf "local PREFIX = %s" $prefix) }}
{{- end -}}

{{/* Where a browser shows a job's lines: the saved view that the bootstrap brings to Kibana. */}}
{{- define "sentinels.logsPageUrl" -}}
{{- if and .Values.kibana.enabled .Values.elasticsearch.enabled .Values.kibana.publicUrl -}}
{{ .Values.kibana.publicUrl | trimSuffix "/" }}/app/discover#/view/sentinels-logs?_g=(time:(from:now-90d,to:now))&_a=(query:(language:kuery,query:%27job:{job}%27))
{{- end -}}
{{- end -}}

{{/* What fluent-bit reads, adds and where it sends it. */}}
{{- define "sentinels.fluentBitSettings" -}}
{{- $store := urlParse (include "sentinels.searchUrl" .) -}}
{{- $tls := eq $store.scheme "https" -}}
[SERVICE]
    Flush                     1
    Log_Level                 warn
    Parsers_File              /fluent-bit/etc/parsers.conf
    HTTP_Server               On
    HTTP_Listen               0.0.0.0
    HTTP_Port                 2020
    Health_Check              On
    storage.path              /state/buffer
    storage.backlog.mem_limit 16M
    storage.metrics           On
[INPUT]
    Name              tail
    Tag               kube.*
    # The program of every workload: pod, namespace of a team, container.
    Path              /var/log/containers/sentinels-*_{{ .Values.settings.namespace_prefix | default "sen-" }}*_main-*.log
    multiline.parser  cri
    DB                /state/tail.db
    Read_from_Head    On
    # A pod may live for a moment, and its log goes with it: it is found within half a second.
    Refresh_Interval  0.5
    Rotate_Wait       30
    Buffer_Max_Size   2M
    Skip_Long_Lines   Off
    storage.type      filesystem
[FILTER]
    Name              kubernetes
    Match             kube.*
    Labels            On
    Annotations       On
    Merge_Log         Off
    Keep_Log          On
    K8S-Logging.Parser  Off
    K8S-Logging.Exclude Off
    Buffer_Size       0
[FILTER]
    Name              lua
    Match             kube.*
    Script            /etc/sentinels/record.lua
    Call              record
    Time_As_Table     On
[OUTPUT]
    Name              es
    Match             *
    Host              {{ (splitList ":" $store.host) | first }}
    Port              {{ (splitList ":" $store.host) | rest | first | default ($tls | ternary "443" "80") }}
    {{- with $store.path | trimSuffix "/" }}
    Path              {{ . }}
    {{- end }}
    {{- if $tls }}
    tls               On
    {{- end }}
    {{- if include "sentinels.searchSecret" . }}
    HTTP_User         ${SEARCH_USER}
    HTTP_Passwd       ${SEARCH_PASSWORD}
    {{- end }}
    Suppress_Type_Name On
    Logstash_Format   On
    Logstash_Prefix   sentinels-logs
    Time_Key          @timestamp
    Time_Key_Nanos    On
    Id_Key            id
    Write_Operation   index
    Trace_Error       On
    Retry_Limit       False
    storage.total_limit_size {{ .Values.fluentBit.buffer }}
{{- end -}}
