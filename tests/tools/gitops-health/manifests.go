package main

import (
	"errors"
	"fmt"

	helm "github.com/fluxcd/helm-controller/api/v2"
	flux "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
)

// The kinds of Flux that a manifest may be of. Anything else is not looked into.
var fluxKinds = map[string]func() any{
	flux.GroupVersion.String() + " " + flux.KustomizationKind:     func() any { return &flux.Kustomization{} },
	helm.GroupVersion.String() + " " + helm.HelmReleaseKind:       func() any { return &helm.HelmRelease{} },
	source.GroupVersion.String() + " " + source.GitRepositoryKind: func() any { return &source.GitRepository{} },
}

// problem says what one of Flux's own types does not take of a manifest: unknown or doubled fields, wrong types. It is
// empty if there is nothing, and for kinds that are not Flux's.
func problem(manifest []byte) string {
	var kind metav1.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(manifest, &kind); err != nil {
		return err.Error()
	}
	made, ok := fluxKinds[kind.APIVersion+" "+kind.Kind]
	if !ok {
		return ""
	}
	strict, err := json.UnmarshalStrict(manifest, made())
	if err = errors.Join(append(strict, err)...); err != nil {
		return fmt.Sprintf("%s: %s", kind.Kind, err)
	}
	return ""
}
