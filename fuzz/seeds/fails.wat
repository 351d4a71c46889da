;; Asks to be called again after a while.
(data (i32.const 2048)
  "\01\00\00\00\00\00\00\00" "\01\00\00\00\00\00\00\00"
  "\00\09\00\00\05\00\00\00" "\e8\03\00\00\00\00\00\00")
(data (i32.const 2304) "later")
(func $handle (param $event i32) (result i32) (i32.const 2048))
