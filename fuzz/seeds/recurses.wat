;; Has a table, a start function, and calls itself.
(table 4 funcref)
(elem (i32.const 0) $handle $ready)
(start $ready)
(func $ready)
(func $handle (param $event i32) (result i32)
  (call_indirect (param i32) (result i32) (local.get $event) (i32.const 0)))
