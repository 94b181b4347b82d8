{{- define "poller.labels" -}}
app.kubernetes.io/name: poller
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "poller.selector" -}}
app.kubernetes.io/name: poller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "poller.name" -}}
{{- if contains "poller" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-poller" .Release.Name | trunc 63 }}{{ end }}
{{- end }}

{{- define "poller.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "poller.name" . }}{{ else }}default{{ end }}
{{- end }}

{{/* Positions on a volume: one daemon alone. */}}
{{- define "poller.volume" -}}
{{- if and (eq .Values.mode "single") .Values.persistence.enabled }}true{{ end }}
{{- end }}

{{/* The file poller.yaml: the user's, with what only the pod knows. */}}
{{- define "poller.configuration" -}}
{{- $own := deepCopy .Values.configuration }}
{{- $token := dict "file" "/run/secrets/poller-api/token" }}
{{- $_ := set $own "api" (dict "listen" "0.0.0.0:8642" "token" $token) }}
{{- if eq .Values.mode "fleet" }}
{{- if not (regexMatch "^(dynamodb|postgresql)://" (default "" $own.state)) }}
{{- fail "mode: fleet needs a store that the daemons share: set configuration.state to dynamodb://TABLE or postgresql://..." }}
{{- end }}
{{- else if not $own.state }}
{{- $_ := set $own "state" (ternary "sqlite:////var/lib/poller/state.db" "memory:" (eq (include "poller.volume" .) "true")) }}
{{- end }}
{{- toYaml $own }}
{{- end }}
