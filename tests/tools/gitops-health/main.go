// Command gitops-health answers how GitOps tools see objects: kstatus (Helm, Flux without expressions), Flux's own evaluator
// of healthCheckExprs, and Argo CD's health scripts. Each engine is the one that the tool itself uses.
//
// It reads one question as JSON from standard input and writes the answers to standard output.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	fluxcel "github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/fluxcd/pkg/apis/kustomize"
)

// question is what is asked: objects, and what is configured in Flux and in Argo CD.
type question struct {
	// Flux has the entries of a Kustomization's spec.healthCheckExprs.
	Flux []kustomize.CustomHealthCheck `json:"flux"`
	// Argo has the script of each kind, keyed "GROUP_KIND" as at the end of argocd-cm's keys.
	Argo map[string]string `json:"argo"`
	// Objects as the API server gives them.
	Objects []*unstructured.Unstructured `json:"objects"`
	// Manifests as people write them, to be checked against Flux's own types.
	Manifests []json.RawMessage `json:"manifests"`
}

// verdict is one engine's: a status and words, or why it could not tell.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Error   string `json:"error"`
}

// answers are in the order of what was asked.
type answers struct {
	Objects   []health `json:"objects"`
	Manifests []string `json:"manifests"`
}

// health is about one object. An engine that has nothing for the object's kind is left out.
type health struct {
	Kstatus verdict  `json:"kstatus"`
	Flux    *verdict `json:"flux"`
	Argo    *verdict `json:"argo"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var asked question
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return fmt.Errorf("the question: %w", err)
	}
	evaluators, err := fluxEvaluators(asked.Flux)
	if err != nil {
		return err
	}
	told := answers{Objects: []health{}, Manifests: []string{}}
	for _, object := range asked.Objects {
		told.Objects = append(told.Objects, health{
			Kstatus: byKstatus(object),
			Flux:    byFlux(evaluators, object),
			Argo:    byArgo(asked.Argo, object),
		})
	}
	for _, manifest := range asked.Manifests {
		told.Manifests = append(told.Manifests, problem(manifest))
	}
	return json.NewEncoder(out).Encode(told)
}

func byKstatus(object *unstructured.Unstructured) verdict {
	result, err := status.Compute(object)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	return verdict{Status: result.Status.String(), Message: result.Message}
}

// fluxEvaluators has an evaluator for each apiVersion and kind. Expressions that do not parse are an error.
func fluxEvaluators(checks []kustomize.CustomHealthCheck) (map[string]*fluxcel.StatusEvaluator, error) {
	evaluators := map[string]*fluxcel.StatusEvaluator{}
	for _, check := range checks {
		evaluator, err := fluxcel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, fmt.Errorf("healthCheckExprs of %s: %w", check.Kind, err)
		}
		evaluators[check.APIVersion+" "+check.Kind] = evaluator
	}
	return evaluators, nil
}

func byFlux(evaluators map[string]*fluxcel.StatusEvaluator, object *unstructured.Unstructured) *verdict {
	evaluator, ok := evaluators[object.GetAPIVersion()+" "+object.GetKind()]
	if !ok {
		return nil
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return &verdict{Error: err.Error()}
	}
	return &verdict{Status: result.Status.String(), Message: result.Message}
}
