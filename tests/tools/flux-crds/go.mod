// Definitions of Flux's sources, which its kustomize-controller looks at. Only their YAML is used.
module meetingbots.dev/tests/tools/flux-crds

go 1.26.0

require github.com/fluxcd/source-controller v1.7.3
