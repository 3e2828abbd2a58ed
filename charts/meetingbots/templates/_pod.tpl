{{/* The common parts of the Pods of operator and receiver. */}}

{{/* Settings as environment. A variable of extraEnv replaces ours; the API server refuses a list with both. */}}
{{- define "meetingbots.env" -}}
{{- $values := .root.Values -}}
{{- $env := list
      (dict "name" "MEETINGBOTS_SYSTEM_NAMESPACE" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.namespace")))
      (dict "name" "MEETINGBOTS_LOG_LEVEL" "value" $values.logs.level)
      (dict "name" "MEETINGBOTS_LOG_FORMAT" "value" $values.logs.format)
      (dict "name" "MEETINGBOTS_ZOOM_API_URL" "value" (include "meetingbots.zoomApiUrl" .root))
      (dict "name" "MEETINGBOTS_ZOOM_OAUTH_URL" "value" (include "meetingbots.zoomOauthUrl" .root))
      (dict "name" "MEETINGBOTS_PUBLIC_URL" "value" (include "meetingbots.publicUrl" .root))
      (dict "name" "MEETINGBOTS_METRICS_PORT" "value" (ternary "9090" "0" $values.metrics.enabled)) -}}
{{- if eq .component "operator" -}}
{{- $env = concat $env (list
      (dict "name" "MEETINGBOTS_HEALTH_PORT" "value" "8081")
      (dict "name" "MEETINGBOTS_LEADER_ELECT" "value" "true")
      (dict "name" "MEETINGBOTS_BOT_IMAGE" "value" $values.bot.image)
      (dict "name" "MEETINGBOTS_MIN_SHARE_PERCENT" "value" (toString $values.minSharePercent))
      (dict "name" "MEETINGBOTS_ALLOWED_TOKEN_URL_HOSTS" "value" (join "," $values.allowedTokenUrlHosts))
      (dict "name" "MEETINGBOTS_ALLOWED_NOTIFY_URL_HOSTS" "value" (join "," $values.allowedNotifyUrlHosts))) -}}
{{- if .shard -}}
{{- $env = append $env (dict "name" "MEETINGBOTS_LEASE_NAME" "value" (printf "meetingbots-operator-%s" .shard)) -}}
{{- end -}}
{{- if not (kindIs "invalid" $values.bot.ttlSecondsAfterFinished) -}}
{{- $env = append $env (dict "name" "MEETINGBOTS_BOT_TTL_SECONDS_AFTER_FINISHED" "value" (printf "%d" (int64 $values.bot.ttlSecondsAfterFinished))) -}}
{{- end -}}
{{- if $values.bot.template -}}
{{- $env = append $env (dict "name" "MEETINGBOTS_BOT_TEMPLATE_FILE" "value" "/etc/meetingbots/bot/template.yaml") -}}
{{- end -}}
{{- if $values.tokenEndpoint.enabled -}}
{{- $env = concat $env (list
      (dict "name" "MEETINGBOTS_TOKEN_PORT" "value" "8082")
      (dict "name" "MEETINGBOTS_TOKEN_URL" "value" (printf "%s://%s.%s.svc:8082" (ternary "https" "http" (ne $values.tokenEndpoint.tls.secretName "")) (include "meetingbots.tokenService" (dict "root" .root "shard" .shard "hash" "{hash}")) (include "meetingbots.namespace" .root)))) -}}
{{- if $values.tokenEndpoint.tls.secretName -}}
{{- $env = append $env (dict "name" "MEETINGBOTS_TOKEN_TLS_DIR" "value" "/etc/meetingbots/token-tls") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq .component "receiver" -}}
{{- $env = append $env (dict "name" "MEETINGBOTS_ALLOWED_RETURN_URL_HOSTS" "value" (join "," $values.allowedReturnUrlHosts)) -}}
{{- end -}}
{{- $extra := (get $values .component).extraEnv -}}
{{- $replaced := list -}}
{{- range $extra }}{{ $replaced = append $replaced .name }}{{ end -}}
{{- $all := list -}}
{{- range $env }}{{ if not (has .name $replaced) }}{{ $all = append $all . }}{{ end }}{{ end -}}
{{- toYaml (concat $all $extra) -}}
{{- end -}}

{{/* Not empty where a component serves the token endpoint with TLS. */}}
{{- define "meetingbots.tokenTls" -}}
{{- if and (eq .component "operator") .root.Values.tokenEndpoint.enabled .root.Values.tokenEndpoint.tls.secretName }}yes{{ end -}}
{{- end -}}

{{/* A list of namespaces to serve, as flags. */}}
{{- define "meetingbots.scope" -}}
{{- range . }}
- --namespace={{ . }}
{{- else }}
- --all-namespaces
{{- end }}
{{- end -}}

{{/* Recreate excludes the rollingUpdate of the defaults. */}}
{{- define "meetingbots.updateStrategy" -}}
{{- $strategy := (get .root.Values .component).updateStrategy -}}
{{- toYaml (ternary (pick $strategy "type") $strategy (eq $strategy.type "Recreate")) -}}
{{- end -}}

{{- define "meetingbots.podMetadata" -}}
{{- $own := get .root.Values .component -}}
{{- $annotations := mergeOverwrite (dict) .root.Values.commonAnnotations $own.podAnnotations -}}
{{- if and .root.Values.bot.template (eq .component "operator") -}}
{{- $sum := toJson .root.Values.bot.template | sha256sum -}}
{{- $annotations = merge (dict "meetingbots.dev/bot-template-checksum" $sum) $annotations -}}
{{- end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
labels:
  {{- toYaml (mergeOverwrite (dict) $own.podLabels (fromYaml (include "meetingbots.labels" .))) | nindent 2 }}
{{- end -}}

{{- define "meetingbots.podPlacement" -}}
{{- $own := get .root.Values .component -}}
serviceAccountName: {{ include "meetingbots.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $own.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" (fromYaml (include "meetingbots.selectorLabels" $))) }}
  - {{- toYaml (merge (dict) . $selector) | nindent 4 }}
  {{- end }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 16Mi}
{{- if and .root.Values.bot.template (eq .component "operator") }}
  - name: bot-template
    configMap: {name: {{ include "meetingbots.fullname" .root }}-bot-template}
{{- end }}
{{- if include "meetingbots.tokenTls" . }}
  - name: token-tls
    secret: {secretName: {{ .root.Values.tokenEndpoint.tls.secretName }}}
{{- end }}
{{- with $own.extraVolumes }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "meetingbots.container" -}}
{{- $own := get .root.Values .component -}}
image: {{ include "meetingbots.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "meetingbots.env" . | nindent 2 }}
{{- with $own.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- if and .root.Values.bot.template (eq .component "operator") }}
  - {name: bot-template, mountPath: /etc/meetingbots/bot, readOnly: true}
{{- end }}
{{- if include "meetingbots.tokenTls" . }}
  - {name: token-tls, mountPath: /etc/meetingbots/token-tls, readOnly: true}
{{- end }}
{{- with $own.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
