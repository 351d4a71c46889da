;; Writes a line through wasi:logging, and one to standard output.
(import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
(import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
  (func $write (param i32 i32 i32 i32)))
(data (i32.const 2048) "a line\n")
(func $handle (param $event i32) (result i32)
  (call $log (i32.const 2) (i32.const 2048) (i32.const 1) (i32.const 2048) (i32.const 6))
  (call $write (call $stdout) (i32.const 2048) (i32.const 7) (i32.const 600))
  (i32.const 512))
