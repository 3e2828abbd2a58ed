{{/* Shards: one operator for each entry of operator.shards; without any, one operator for the release. */}}

{{/* The operators as a JSON list of `shard` (empty without shards), `namespaces` and `formerNamespaces`. */}}
{{- define "meetingbots.operators" -}}
{{- $operators := list -}}
{{- range $shard := .Values.operator.shards -}}
{{- range $other := $operators -}}
{{- include "meetingbots.checkTwoShards" (dict "one" $other "other" $shard) -}}
{{- end -}}
{{- include "meetingbots.checkShard" (dict "root" $ "shard" $shard) -}}
{{- $operators = append $operators (dict "shard" $shard.name "namespaces" $shard.namespaces "formerNamespaces" (default (list) $shard.formerNamespaces)) -}}
{{- else -}}
{{- $operators = list (dict "shard" "" "namespaces" .Values.watch.namespaces "formerNamespaces" (list)) -}}
{{- end -}}
{{- $served := list -}}
{{- range $operators }}{{ $served = concat $served .namespaces }}{{ end -}}
{{- range .Values.watch.namespaces -}}
{{- if not (has . $served) -}}
{{- fail (printf "operator.shards: namespace %s of watch.namespaces is in no shard; add it to one, or leave watch.namespaces empty" .) -}}
{{- end -}}
{{- end -}}
{{- toJson $operators -}}
{{- end -}}

{{- define "meetingbots.checkTwoShards" -}}
{{- $one := .one -}}
{{- $other := .other -}}
{{- if eq $one.shard $other.name -}}
{{- fail (printf "operator.shards: two shards have the name %s" $other.name) -}}
{{- end -}}
{{- range $namespace := $one.namespaces -}}
{{- if has $namespace $other.namespaces -}}
{{- fail (printf "operator.shards: namespace %s is in the shards %s and %s; a namespace belongs to one shard" $namespace $one.shard $other.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "meetingbots.checkShard" -}}
{{- $shard := .shard -}}
{{- $name := include "meetingbots.operatorName" (dict "root" .root "shard" $shard.name) -}}
{{- if gt (len $name) 63 -}}
{{- fail (printf "operator.shards: %s has more than 63 characters; shorten the shard's name, or set fullnameOverride" $name) -}}
{{- end -}}
{{- range $namespace := default (list) $shard.formerNamespaces -}}
{{- if has $namespace $shard.namespaces -}}
{{- fail (printf "operator.shards: shard %s serves namespace %s, so it is not one of its formerNamespaces" $shard.name $namespace) -}}
{{- end -}}
{{- end -}}
{{- range $namespace := $shard.namespaces -}}
{{- if and $.root.Values.watch.namespaces (not (has $namespace $.root.Values.watch.namespaces)) -}}
{{- fail (printf "operator.shards: namespace %s of shard %s is not in watch.namespaces; add it there, or leave watch.namespaces empty" $namespace $shard.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* All namespaces that the release serves, as a JSON list; empty: the whole cluster. */}}
{{- define "meetingbots.namespaces" -}}
{{- $namespaces := list -}}
{{- range include "meetingbots.operators" . | fromJsonArray }}{{ $namespaces = concat $namespaces .namespaces }}{{ end -}}
{{- toJson $namespaces -}}
{{- end -}}

{{/* RELEASE-meetingbots-operator, with the shard's name at its end. */}}
{{- define "meetingbots.operatorName" -}}
{{- printf "%s-operator%s" (include "meetingbots.fullname" .root) (include "meetingbots.shardSuffix" .) -}}
{{- end -}}

{{- define "meetingbots.shardSuffix" -}}
{{- with .shard }}-{{ . }}{{ end -}}
{{- end -}}

{{/* Service of the token endpoint for the bots of one namespace. Its name stays when the namespace moves to another shard. */}}
{{- define "meetingbots.tokenService" -}}
{{- if .shard -}}
{{- printf "%s-tokens-%s" (include "meetingbots.fullname" .root) .hash -}}
{{- else -}}
{{- printf "%s-operator-tokens" (include "meetingbots.fullname" .root) -}}
{{- end -}}
{{- end -}}
