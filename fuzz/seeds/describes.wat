;; Names two events and a want.
(data (i32.const 2048)
  "\80\08\00\00\04\00\00\00" "\84\08\00\00\01\00\00\00"
  "\a0\08\00\00\02\00\00\00" "\c0\08\00\00\01\00\00\00")
(data (i32.const 2176) "name1")
(data (i32.const 2208) "\80\08\00\00\04\00\00\00" "\80\08\00\00\04\00\00\00")
;; A want is its case, then a text: `config("name")`.
(data (i32.const 2240) "\01\00\00\00\80\08\00\00\04\00\00\00")
(func $describe (result i32) (i32.const 2048))
