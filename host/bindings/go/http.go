package hookbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Request is an outgoing HTTP request. The operator grants origins; others are
// refused.
type Request struct {
	// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.
	Method string
	// http:// or https://, with path and query.
	URL string
	// Name and value of each.
	Headers [][2]string
	Body    []byte
}

// Response is the answer to a Request.
type Response struct {
	Status int
	// Name, in lower case, and value of each.
	Headers [][2]string
	Body    []byte
}

// Header gives the first header of a name, or nothing.
func (r Response) Header(name string) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], name) {
			return header[1]
		}
	}
	return ""
}

// Failure is what an answer means for the event: nil for 200 to 299, rejected for
// 400 to 499, and tried again for the rest and for 408, 425 and 429, not before
// the seconds that Retry-After says.
func (r Response) Failure() error {
	switch {
	case r.Status >= 200 && r.Status < 300:
		return nil
	case r.Status >= 400 && r.Status < 500 && r.Status != 408 && r.Status != 425 && r.Status != 429:
		return Reject("the answer was %d", r.Status)
	default:
		seconds, err := strconv.ParseUint(strings.TrimSpace(r.Header("retry-after")), 10, 31)
		if err != nil {
			return Retry("the answer was %d", r.Status)
		}
		return RetryAfter(time.Duration(seconds)*time.Second, "the answer was %d", r.Status)
	}
}

// address takes a URL apart.
func address(url string) (scheme, authority, path string, err error) {
	scheme, rest, found := strings.Cut(url, "://")
	if !found || (scheme != "http" && scheme != "https") {
		return "", "", "", fmt.Errorf("a URL begins with http:// or https://")
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		return scheme, rest, "/", nil
	}
	authority, path = rest[:end], rest[end:]
	if path[0] == '?' {
		path = "/" + path
	}
	return scheme, authority, path, nil
}
