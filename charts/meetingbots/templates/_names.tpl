{{/* What things are called: releases of one cluster never share a name, but for those that one namespace may have once. */}}

{{- define "meetingbots.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 45 characters: "-receiver-metrics" follows, and a Service's name has 63. */}}
{{- define "meetingbots.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* For what lies outside of the release's namespace. The colon cannot be in a part, so that no two are joined alike. */}}
{{- define "meetingbots.foreignName" -}}
{{- printf "%s:%s" .Release.Namespace (include "meetingbots.fullname" .) -}}
{{- end -}}

{{- define "meetingbots.serviceAccountName" -}}
{{- $account := (get .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "meetingbots.fullname" .root) .component) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{- define "meetingbots.selectorLabels" -}}
app.kubernetes.io/name: {{ include "meetingbots.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object; `component` may be empty for what belongs to all. */}}
{{- define "meetingbots.labels" -}}
{{- $labels := dict
      "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/name" (include "meetingbots.name" .root)
      "app.kubernetes.io/instance" .root.Release.Name
      "app.kubernetes.io/version" .root.Chart.AppVersion
      "app.kubernetes.io/managed-by" .root.Release.Service
      "app.kubernetes.io/part-of" "meetingbots" -}}
{{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end -}}
{{- toYaml (merge $labels .root.Values.commonLabels) -}}
{{- end -}}

{{- define "meetingbots.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The public host: that of publicUrl, else of ingress or httpRoute; empty when nobody named one. */}}
{{- define "meetingbots.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- trimSuffix "/" .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
{{- printf "https://%s" .Values.ingress.host -}}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
{{- printf "https://%s" (first .Values.httpRoute.hostnames) -}}
{{- end -}}
{{- end -}}

{{/* The host that an Ingress or HTTPRoute takes from publicUrl. */}}
{{- define "meetingbots.publicHost" -}}
{{- $url := urlParse (default "" .root.Values.publicUrl) -}}
{{- if not $url.host -}}
{{- fail (printf "set publicUrl (https://HOST) or %s: without a host Zoom finds nothing" .alternative) -}}
{{- end -}}
{{- regexReplaceAll ":[0-9]+$" $url.host "" -}}
{{- end -}}
