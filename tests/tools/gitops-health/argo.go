package main

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Argo CD's util/lua gives a health script one second, and of Lua's libraries base, package, table and three functions
// of os; string, math and io are not there unless useOpenLibs is set.
const scriptTime = time.Second

// The statuses that a script may return (Argo CD, gitops-engine/pkg/health). Anything else it takes for Unknown.
var argoStatuses = map[string]bool{
	"Unknown": true, "Progressing": true, "Suspended": true, "Healthy": true, "Degraded": true, "Missing": true,
}

func byArgo(scripts map[string]string, object *unstructured.Unstructured) *verdict {
	kind := object.GroupVersionKind()
	script, ok := scripts[kind.Group+"_"+kind.Kind]
	if !ok {
		return nil
	}
	// Argo CD asks no script about what is being deleted.
	if object.GetDeletionTimestamp() != nil {
		return &verdict{Status: "Progressing", Message: "Pending deletion"}
	}
	told, err := runScript(script, object.Object)
	if err != nil {
		return &verdict{Error: err.Error()}
	}
	return told
}

func runScript(script string, object map[string]any) (*verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	if err := openLibraries(state); err != nil {
		return nil, err
	}
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return readVerdict(table)
}

func openLibraries(state *lua.LState) error {
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
		lua.OsLibName:   openClock,
	} {
		call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return fmt.Errorf("library %s: %w", name, err)
		}
	}
	return nil
}

// openClock gives an os library with the time alone: what Argo CD leaves of it besides is not for health scripts.
func openClock(state *lua.LState) int {
	state.Push(state.RegisterModule(lua.OsLibName, map[string]lua.LGFunction{
		"time": func(state *lua.LState) int {
			state.Push(lua.LNumber(time.Now().Unix()))
			return 1
		},
	}))
	return 1
}

// readVerdict takes the returned table as Argo CD does, which decodes it into a struct of two strings.
func readVerdict(table *lua.LTable) (*verdict, error) {
	words, ok := textOf(table, "message")
	if !ok {
		return nil, fmt.Errorf("message is %s, not a string", table.RawGetString("message").Type())
	}
	status, ok := textOf(table, "status")
	if !ok {
		return nil, fmt.Errorf("status is %s, not a string", table.RawGetString("status").Type())
	}
	if !argoStatuses[status] {
		return &verdict{Status: "Unknown", Message: "Lua returned an invalid health status"}, nil
	}
	return &verdict{Status: status, Message: words}, nil
}

// textOf says whether a field is a string, or absent.
func textOf(table *lua.LTable, name string) (string, bool) {
	switch value := table.RawGetString(name).(type) {
	case *lua.LNilType:
		return "", true
	case lua.LString:
		return string(value), true
	default:
		return "", false
	}
}

// toLua turns a decoded JSON value into Lua's. null becomes nil: a field that is null is not there for a script.
func toLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		list := state.CreateTable(len(known), 0)
		for _, item := range known {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(known))
		for key, item := range known {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
