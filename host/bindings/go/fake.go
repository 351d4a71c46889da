//go:build !wasm

package hookbox

import (
	"fmt"
	"maps"
	"strconv"
)

// Fake stands in for the host in `go test`: it has the settings and answers
// that a test puts there, and keeps what the plugin did.
type Fake struct {
	// Settings and secrets.
	Settings map[string]string
	// Key-value state; counters are decimal digits.
	State map[string][]byte
	// Answers requests. Nil: a request fails.
	Answer func(Request) (Response, error)
	// What was logged, and sent.
	Lines    []string
	Requests []Request
}

var (
	registered Plugin
	host       = &Fake{Settings: map[string]string{}, State: map[string][]byte{}}
)

// NewFake gives a host with nothing in it, in place of the one before.
func NewFake() *Fake {
	host = &Fake{Settings: map[string]string{}, State: map[string][]byte{}}
	return host
}

// Deliver hands an event to the plugin as the host does: state is kept only
// where the handler gives nil.
func (f *Fake) Deliver(event Event) error {
	before := maps.Clone(f.State)
	err := registered.Handle(event, Delivery{Id: "delivery", EventId: "event", Source: "main", Attempt: 1})
	if err != nil {
		f.State = before
	}
	return err
}

// Register makes a plugin known to the host. Call it once, in an init function.
func Register(plugin Plugin) { registered = plugin }

// Config gives a setting or secret, and whether it is there.
func Config(key string) (string, bool) {
	value, found := host.Settings[key]
	return value, found
}

// Get gives the value under a key, and whether there is one.
func (state) Get(key string) ([]byte, bool, error) {
	value, found := host.State[key]
	return value, found, nil
}

// Set writes a value; it is kept if the call returns nil.
func (state) Set(key string, value []byte) error {
	host.State[key] = value
	return nil
}

// Delete removes a key; one that is not there is no error.
func (state) Delete(key string) error {
	delete(host.State, key)
	return nil
}

// Increment adds to a counter, 0 at first, and gives its new value.
func (state) Increment(key string, delta uint64) (uint64, error) {
	count := uint64(0)
	if value, found := host.State[key]; found {
		parsed, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil {
			return 0, Retry("key-value state: %s is no counter", key)
		}
		count = parsed
	}
	count += delta
	host.State[key] = strconv.AppendUint(nil, count, 10)
	return count, nil
}

// Send keeps the request and answers as Fake.Answer says.
func Send(request Request) (Response, error) {
	if _, _, _, err := address(request.URL); err != nil {
		return Response{}, Retry("the request cannot be made: %s", err)
	}
	host.Requests = append(host.Requests, request)
	if host.Answer == nil {
		return Response{}, Retry("the service refused the connection")
	}
	return host.Answer(request)
}

// Import calls an import of the host's, which is not there in `go test`.
func Import[T any](call func() T) T { return call() }

func logLine(_ uint8, format string, args ...any) {
	host.Lines = append(host.Lines, fmt.Sprintf(format, args...))
}
