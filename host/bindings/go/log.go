package hookbox

// The levels of a log line, as of wasi:logging.
const (
	levelDebug uint8 = iota + 1
	levelInfo
	levelWarn
	levelError
)

// Debugf logs at the level debug.
func Debugf(format string, args ...any) { logLine(levelDebug, format, args...) }

// Infof logs at the level info.
func Infof(format string, args ...any) { logLine(levelInfo, format, args...) }

// Warnf logs at the level warn.
func Warnf(format string, args ...any) { logLine(levelWarn, format, args...) }

// Errorf logs at the level error. It returns nothing: see Retry and Reject.
func Errorf(format string, args ...any) { logLine(levelError, format, args...) }
