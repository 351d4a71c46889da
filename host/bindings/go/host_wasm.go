package hookbox

import (
	"fmt"
	"runtime/debug"

	about "hookbox/wit/export_hookbox_plugin_about"
	handler "hookbox/wit/export_hookbox_targetvideo_handler"
	types "hookbox/wit/hookbox_plugin_types"
	"hookbox/wit/runtime"
	wit "hookbox/wit/types"
	config "hookbox/wit/wasi_config_store"
	atomics "hookbox/wit/wasi_keyvalue_atomics"
	store "hookbox/wit/wasi_keyvalue_store"
	logging "hookbox/wit/wasi_logging_logging"
	_ "hookbox/wit/wit_exports"
)

// heapGrowthPercent is how much the heap may grow between collections: Go's own
// default.
const heapGrowthPercent = 100

// The host writes what an import answers into memory that it asks the plugin for,
// and while it asks no import may be called. A garbage collection asks for the
// time, so none may run then, nor while the host writes the event: only while the
// handler runs, and not within Import.
func init() { debug.SetGCPercent(-1) }

// Import calls an import of the host's: every one of the generated packages that
// answers with text, a list or an error has to be called by it. What is in this
// package does so by itself.
func Import[T any](call func() T) T {
	// Also waits for the end of a collection that runs.
	before := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(before)
	answer := call()
	// From here on it lasts as long as the answer is in use.
	runtime.Unpin()
	return answer
}

// Register makes a plugin known to the host. Call it once, in an init function.
func Register(plugin Plugin) {
	about.Exported = func() types.Description {
		return types.Description{
			Name: plugin.Name, Version: plugin.Version, Events: plugin.Events, Wants: plugin.Wants,
		}
	}
	handler.Exported = func(event Event, delivery Delivery) wit.Result[wit.Unit, types.Failure] {
		debug.SetGCPercent(heapGrowthPercent)
		defer debug.SetGCPercent(-1)
		if err := plugin.Handle(event, delivery); err != nil {
			return wit.Err[wit.Unit, types.Failure](failureOf(err))
		}
		return wit.Ok[wit.Unit, types.Failure](wit.Unit{})
	}
}

func logLine(level uint8, format string, args ...any) {
	logging.Log(level, "", fmt.Sprintf(format, args...))
}

// Config gives a setting or secret, and whether it is there.
func Config(key string) (string, bool) {
	answer := Import(func() wit.Result[wit.Option[string], config.Error] { return config.Get(key) })
	if answer.IsErr() || answer.Ok().IsNone() {
		return "", false
	}
	return answer.Ok().Some(), true
}

// bucket is the plugin's own state, opened once.
var bucket *store.Bucket

func open() (*store.Bucket, error) {
	if bucket == nil {
		opened := Import(func() wit.Result[*store.Bucket, store.Error] { return store.Open("") })
		if opened.IsErr() {
			return nil, storeError(opened.Err())
		}
		bucket = opened.Ok()
	}
	return bucket, nil
}

func storeError(err store.Error) error {
	switch err.Tag() {
	case store.ErrorAccessDenied:
		return Retry("key-value state is not granted")
	case store.ErrorOther:
		return Retry("key-value state: %s", err.Other())
	default:
		return Retry("key-value state: there is no such store")
	}
}

// Get gives the value under a key, and whether there is one.
func (state) Get(key string) ([]byte, bool, error) {
	b, err := open()
	if err != nil {
		return nil, false, err
	}
	got := Import(func() wit.Result[wit.Option[[]byte], store.Error] { return b.Get(key) })
	if got.IsErr() {
		return nil, false, storeError(got.Err())
	}
	value := got.Ok()
	return value.SomeOr(nil), value.IsSome(), nil
}

// Set writes a value; it is kept if the call returns nil.
func (state) Set(key string, value []byte) error {
	b, err := open()
	if err != nil {
		return err
	}
	set := Import(func() wit.Result[wit.Unit, store.Error] { return b.Set(key, value) })
	if set.IsErr() {
		return storeError(set.Err())
	}
	return nil
}

// Delete removes a key; one that is not there is no error.
func (state) Delete(key string) error {
	b, err := open()
	if err != nil {
		return err
	}
	deleted := Import(func() wit.Result[wit.Unit, store.Error] { return b.Delete(key) })
	if deleted.IsErr() {
		return storeError(deleted.Err())
	}
	return nil
}

// Increment adds to a counter, 0 at first, and gives its new value.
func (state) Increment(key string, delta uint64) (uint64, error) {
	b, err := open()
	if err != nil {
		return 0, err
	}
	counted := Import(func() wit.Result[uint64, store.Error] { return atomics.Increment(b, key, delta) })
	if counted.IsErr() {
		return 0, storeError(counted.Err())
	}
	return counted.Ok(), nil
}
