// Package hookbox is what a plugin has to do with its host: it registers
// itself, says what became of an event, and uses what it was granted.
//
// Written by `hookbox build`: changes are lost.
package hookbox

import (
	"errors"
	"fmt"
	"time"

	types "hookbox/wit/hookbox_plugin_types"
	events "hookbox/wit/hookbox_targetvideo_events"
	wit "hookbox/wit/types"
)

// Event is one webhook, verified and typed. The records of its payload are in
// the package hookbox/wit/hookbox_targetvideo_events.
type Event = events.Event

// Delivery says which handing-over of an event this is.
type Delivery = types.Delivery

// Want is one thing that a plugin needs and only the operator can give.
type Want = types.Want

// Plugin is what a plugin says of itself, and its handler.
type Plugin struct {
	// For display: a plugin's identity is the name of its file.
	Name, Version string
	// Names of events as the sender spells them. Empty: every event.
	Events []string
	// What the file is refused without.
	Wants []Want
	// Called once for each attempt at a delivery, in a fresh instance. Nil:
	// done. Errors of Retry, RetryAfter and Reject say what follows; any other
	// error is tried again.
	Handle func(event Event, delivery Delivery) error
}

// WantHTTP is outgoing HTTP to one origin: scheme://host[:port].
func WantHTTP(origin string) Want { return types.MakeWantHttp(origin) }

// WantConfig is a setting that must be there.
func WantConfig(key string) Want { return types.MakeWantConfig(key) }

// WantSecret is a setting that must be there, and whose value is secret.
func WantSecret(key string) Want { return types.MakeWantSecret(key) }

// WantKeyValue is state of the plugin's own.
func WantKeyValue() Want { return types.MakeWantKeyvalue() }

// failure is an error that says what the host should do.
type failure struct{ types.Failure }

func (f failure) Error() string {
	switch f.Tag() {
	case types.FailureReject:
		return "reject: " + f.Reject()
	case types.FailureRetryAfter:
		return "retry after: " + f.RetryAfter().Reason
	default:
		return "retry: " + f.Retry()
	}
}

// Retry is a failure that may pass: the event is handed over again after a
// wait. The text is for the operator.
func Retry(format string, args ...any) error {
	return failure{types.MakeFailureRetry(fmt.Sprintf(format, args...))}
}

// RetryAfter is Retry, but not before a time has passed.
func RetryAfter(wait time.Duration, format string, args ...any) error {
	after := uint64(max(wait.Milliseconds(), 0))
	reason := fmt.Sprintf(format, args...)
	return failure{types.MakeFailureRetryAfter(types.RetryLater{Reason: reason, AfterMs: after})}
}

// Reject is for an event that is of no use to this plugin, however often it is
// called: it is never tried again.
func Reject(format string, args ...any) error {
	return failure{types.MakeFailureReject(fmt.Sprintf(format, args...))}
}

// IsReject is whether an error is one of Reject.
func IsReject(err error) bool {
	var f failure
	return errors.As(err, &f) && f.Tag() == types.FailureReject
}

// failureOf is what the host is told of an error.
func failureOf(err error) types.Failure {
	var f failure
	if errors.As(err, &f) {
		return f.Failure
	}
	return types.MakeFailureRetry(err.Error())
}

// state is what State offers; how is in another file, for the host and for
// `go test`.
type state struct{}

// State is the plugin's own key-value state. What a call writes is kept only if
// it returns nil. Errors are ones that are tried again.
var State state

// Some is an optional value that is there: for events in tests.
func Some[T any](value T) wit.Option[T] { return wit.Some(value) }
