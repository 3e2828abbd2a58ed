{{/* Names and metadata. Two releases of one cluster share no name, except the names that a namespace can have once. */}}

{{- define "meetingbots.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 45 characters: "-receiver-metrics" follows, and a Service's name has at most 63. */}}
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

{{- define "meetingbots.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Name for an object outside of the release's namespace. Neither part can contain the colon, so the name is unique. */}}
{{- define "meetingbots.foreignName" -}}
{{- printf "%s:%s" (include "meetingbots.namespace" .) (include "meetingbots.fullname" .) -}}
{{- end -}}

{{/* With shards, each has an account: the name ends with the shard's. */}}
{{- define "meetingbots.serviceAccountName" -}}
{{- $account := (get .root.Values .component).serviceAccount -}}
{{- if or $account.create $account.name -}}
{{- printf "%s%s" (default (printf "%s-%s" (include "meetingbots.fullname" .root) .component) $account.name) (include "meetingbots.shardSuffix" .) -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "meetingbots.selectorLabels" -}}
app.kubernetes.io/name: {{ include "meetingbots.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .shard }}
meetingbots.dev/shard: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Labels of an object; `component` is empty for an object of the whole release. */}}
{{- define "meetingbots.labels" -}}
{{- $labels := dict
      "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/name" (include "meetingbots.name" .root)
      "app.kubernetes.io/instance" .root.Release.Name
      "app.kubernetes.io/version" .root.Chart.AppVersion
      "app.kubernetes.io/managed-by" .root.Release.Service
      "app.kubernetes.io/part-of" "meetingbots" -}}
{{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end -}}
{{- with .shard }}{{ $_ := set $labels "meetingbots.dev/shard" . }}{{ end -}}
{{- toYaml (merge $labels .root.Values.commonLabels) -}}
{{- end -}}

{{/* Metadata of an object: `name`, and optionally `component`, `namespace` ("" for a cluster-scoped object), `labels` and
`annotations`, which override the common ones. */}}
{{- define "meetingbots.metadata" -}}
{{- $metadata := dict "name" .name "labels" (mergeOverwrite (dict) (fromYaml (include "meetingbots.labels" .)) (default (dict) .labels)) -}}
{{- $namespace := ternary .namespace (include "meetingbots.namespace" .root) (hasKey . "namespace") -}}
{{- with $namespace }}{{ $_ := set $metadata "namespace" . }}{{ end -}}
{{- $annotations := mergeOverwrite (dict) .root.Values.commonAnnotations (default (dict) .annotations) -}}
{{- with $annotations }}{{ $_ := set $metadata "annotations" . }}{{ end -}}
{{- toYaml $metadata -}}
{{- end -}}

{{- define "meetingbots.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The public URL: publicUrl, else the host of ingress or httpRoute; empty without any of them. */}}
{{- define "meetingbots.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- trimSuffix "/" .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
{{- printf "https://%s" .Values.ingress.host -}}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
{{- printf "https://%s" (first .Values.httpRoute.hostnames) -}}
{{- end -}}
{{- end -}}

{{/* The host for an Ingress or HTTPRoute, from publicUrl. */}}
{{- define "meetingbots.publicHost" -}}
{{- $url := urlParse (default "" .root.Values.publicUrl) -}}
{{- if not $url.host -}}
{{- fail (printf "set publicUrl (https://HOST) or %s: Zoom needs a host" .alternative) -}}
{{- end -}}
{{- regexReplaceAll ":[0-9]+$" $url.host "" -}}
{{- end -}}

{{/* Zoom's base URLs: the simulator's where it is enabled. */}}
{{- define "meetingbots.simulatorUrl" -}}
{{- printf "http://%s-simulator.%s.svc:8085" (include "meetingbots.fullname" .) (include "meetingbots.namespace" .) -}}
{{- end -}}

{{- define "meetingbots.zoomApiUrl" -}}
{{- if .Values.simulator.enabled }}{{ include "meetingbots.simulatorUrl" . }}/v2{{ else }}{{ .Values.zoom.apiUrl }}{{ end -}}
{{- end -}}

{{- define "meetingbots.zoomOauthUrl" -}}
{{- if .Values.simulator.enabled }}{{ include "meetingbots.simulatorUrl" . }}/oauth{{ else }}{{ .Values.zoom.oauthUrl }}{{ end -}}
{{- end -}}

{{/* The simulator's scenario unless simulator.scenario is set: an account with a user, an app and a meeting. */}}
{{- define "meetingbots.simulatorScenario" -}}
accounts:
  - {id: acme, plan: Pro}
users:
  - {account_id: acme, email: alice@example.com}
apps:
  - client_id: staging-app
    client_secret: staging-client-secret
    webhook_secret_token: staging-webhook-secret
    owner_account_id: acme
    server_to_server: true
    level: account
    webhook_url: http://{{ include "meetingbots.fullname" . }}-receiver.{{ include "meetingbots.namespace" . }}.svc:{{ .Values.receiver.service.port }}/webhooks/staging-app
meetings:
  - {id: 81234567890, host_id: alice@example.com, start_in: 86400}
{{- end -}}
