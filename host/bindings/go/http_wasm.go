package hookbox

import (
	"strconv"
	"strings"

	wit "hookbox/wit/types"
	outgoing "hookbox/wit/wasi_http_outgoing_handler"
	wasi "hookbox/wit/wasi_http_types"
	streams "hookbox/wit/wasi_io_streams"
)

// What one call of a stream may carry: wasi:io allows 4,096 bytes to be written
// at once, and bounds reads itself.
const (
	writeBytesMax = 4096
	readBytesMax  = 64 << 10
)

// Send sends a request and waits for the whole answer. An error is one that is
// tried again; whether an answer is good, Response.Failure says.
func Send(request Request) (Response, error) {
	scheme, authority, path, err := address(request.URL)
	if err != nil {
		return Response{}, Retry("the request cannot be made: %s", err)
	}
	headers := make([]wit.Tuple2[string, []uint8], 0, len(request.Headers)+1)
	hasLength := len(request.Body) == 0
	for _, header := range request.Headers {
		headers = append(headers, wit.Tuple2[string, []uint8]{F0: header[0], F1: []byte(header[1])})
		hasLength = hasLength || strings.EqualFold(header[0], "content-length")
	}
	// Else the body is sent in chunks, which not every service takes.
	if !hasLength {
		length := []byte(strconv.Itoa(len(request.Body)))
		headers = append(headers, wit.Tuple2[string, []uint8]{F0: "content-length", F1: length})
	}
	fields := wasi.FieldsFromList(headers)
	if fields.IsErr() {
		return Response{}, Retry("the request cannot be made: a header is not allowed")
	}
	made := wasi.MakeOutgoingRequest(fields.Ok())
	ok := made.SetMethod(method(request.Method)).IsOk() &&
		made.SetScheme(wit.Some(schemeOf(scheme))).IsOk() &&
		made.SetAuthority(wit.Some(authority)).IsOk() &&
		made.SetPathWithQuery(wit.Some(path)).IsOk()
	if !ok {
		return Response{}, Retry("the request cannot be made: its method or URL is not allowed")
	}
	body := made.Body().Ok()
	coming := Import(func() wit.Result[*wasi.FutureIncomingResponse, wasi.ErrorCode] {
		return outgoing.Handle(made, wit.None[*wasi.RequestOptions]())
	})
	if coming.IsErr() {
		return Response{}, httpError(coming.Err())
	}
	// Where the service hangs up before it has all, its answer says more than
	// this does.
	written := write(body, request.Body)
	future := coming.Ok()
	future.Subscribe().Block()
	answer := Import(future.Get).Some().Ok()
	if answer.IsErr() {
		return Response{}, httpError(answer.Err())
	}
	if !written && answer.Ok().Status() < 300 {
		return Response{}, Retry("the request's body could not be sent")
	}
	return response(answer.Ok())
}

func write(body *wasi.OutgoingBody, bytes []byte) bool {
	stream := body.Write().Ok()
	whole := true
	for len(bytes) > 0 && whole {
		part := min(len(bytes), writeBytesMax)
		whole = Import(func() wit.Result[wit.Unit, streams.StreamError] {
			return stream.BlockingWriteAndFlush(bytes[:part])
		}).IsOk()
		bytes = bytes[part:]
	}
	stream.Drop()
	finished := Import(func() wit.Result[wit.Unit, wasi.ErrorCode] {
		return wasi.OutgoingBodyFinish(body, wit.None[*wasi.Fields]())
	})
	return finished.IsOk() && whole
}

func response(from *wasi.IncomingResponse) (Response, error) {
	answer := Response{Status: int(from.Status())}
	for _, header := range Import(from.Headers().Entries) {
		answer.Headers = append(answer.Headers, [2]string{header.F0, string(header.F1)})
	}
	stream := from.Consume().Ok().Stream().Ok()
	for {
		part := Import(func() wit.Result[[]uint8, streams.StreamError] {
			return stream.BlockingRead(readBytesMax)
		})
		if part.IsOk() {
			answer.Body = append(answer.Body, part.Ok()...)
			continue
		}
		if part.Err().Tag() == streams.StreamErrorClosed {
			return answer, nil
		}
		return Response{}, Retry("the answer broke off")
	}
}

func method(name string) wasi.Method {
	switch name {
	case "", "GET":
		return wasi.MakeMethodGet()
	case "HEAD":
		return wasi.MakeMethodHead()
	case "POST":
		return wasi.MakeMethodPost()
	case "PUT":
		return wasi.MakeMethodPut()
	case "DELETE":
		return wasi.MakeMethodDelete()
	case "OPTIONS":
		return wasi.MakeMethodOptions()
	case "PATCH":
		return wasi.MakeMethodPatch()
	default:
		return wasi.MakeMethodOther(name)
	}
}

func schemeOf(name string) wasi.Scheme {
	if name == "http" {
		return wasi.MakeSchemeHttp()
	}
	return wasi.MakeSchemeHttps()
}

// httpError says what went wrong without the address, which may hold a secret.
func httpError(err wasi.ErrorCode) error {
	switch err.Tag() {
	case wasi.ErrorCodeHttpRequestDenied:
		return Retry("the request was denied: its origin is not granted, or it is one too many")
	case wasi.ErrorCodeDnsTimeout, wasi.ErrorCodeDnsError, wasi.ErrorCodeDestinationNotFound:
		return Retry("the service's name is not known")
	case wasi.ErrorCodeConnectionRefused:
		return Retry("the service refused the connection")
	case wasi.ErrorCodeConnectionTimeout, wasi.ErrorCodeConnectionReadTimeout,
		wasi.ErrorCodeConnectionWriteTimeout, wasi.ErrorCodeHttpResponseTimeout:
		return Retry("the service took too long")
	case wasi.ErrorCodeTlsProtocolError, wasi.ErrorCodeTlsCertificateError,
		wasi.ErrorCodeTlsAlertReceived:
		return Retry("TLS with the service failed")
	case wasi.ErrorCodeInternalError:
		return Retry("the request failed: %s", err.InternalError().SomeOr("no reason given"))
	default:
		return Retry("the request failed: case %d of error-code in wasi:http/types", err.Tag())
	}
}
