{{- define "sentinels.searchUrl" -}}{{- end -}}
{{- define "sentinels.prometheusUrl" -}}{{- end -}}
