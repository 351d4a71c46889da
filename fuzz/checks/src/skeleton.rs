//! Components from the text of a core module, for guests that no compiler would
//! make. What the text leaves out is filled in: memory, an allocator, a
//! `describe` that asks for all events, a `handle` that succeeds.

use std::sync::LazyLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Functions and memories that a text may define itself, and what stands for
/// them where it does not.
const PARTS: [(&str, &str); 4] = [
    ("(memory $memory", "(memory $memory 2)"),
    (
        "(func $realloc",
        // Takes from the end of what is in use, and never gives back.
        r#"(global $next (mut i32) (i32.const 65536))
        (func $realloc (param $old i32) (param $old_len i32) (param $align i32) (param $len i32)
            (result i32)
            (local $at i32)
            (local.set $at (i32.and
                (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get $align))))
            (global.set $next (i32.add (local.get $at) (local.get $len)))
            (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
                (then (drop (memory.grow
                    (i32.shr_u (i32.add (local.get $len) (i32.const 65535)) (i32.const 16))))))
            (memory.copy (local.get $at) (local.get $old) (local.get $old_len))
            (local.get $at))"#,
    ),
    (
        "(func $describe",
        // The record `description`: name, version, no events, no wants.
        r#"(data (i32.const 1024) "\20\04\00\00\07\00\00\00\28\04\00\00\01\00\00\00")
        (data (i32.const 1056) "hostile\001")
        (func $describe (result i32) (i32.const 1024))"#,
    ),
    // Zeros are the result `ok`.
    ("(func $handle", "(func $handle (param $event i32) (result i32) (i32.const 512))"),
];

const EXPORTS: &str = r#"
    (export "memory" (memory $memory))
    (export "cabi_realloc" (func $realloc))
    (export "hookbox:plugin/about@0.1.0#describe" (func $describe))
    (export "hookbox:targetvideo/handler@0.1.0#handle" (func $handle))
"#;

/// The section that says of a core module which world it is for: the plugins',
/// and with a resource of the guest's own.
static WORLD: LazyLock<Vec<u8>> = LazyLock::new(|| world("plugin"));
static WORLD_WITH_THINGS: LazyLock<Vec<u8>> = LazyLock::new(|| world("hostile:guest/with-things"));

/// How a text names the resource of [`WORLD_WITH_THINGS`].
const THINGS: &str = "hostile:guest/things";

fn world(name: &str) -> Vec<u8> {
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/targetvideo-0.1.0");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).expect("the interface");
    let things = "
        package hostile:guest;
        interface things { resource thing { constructor(); } }
        world with-things { include hookbox:targetvideo/plugin@0.1.0; export things; }
    ";
    resolve.push_str("things.wit", things).expect("an interface");
    let world = resolve.select_world(&[package], Some(name)).expect("its world");
    let mut section = Vec::new();
    embed_component_metadata(&mut section, &resolve, world, StringEncoding::UTF8)
        .expect("a section");
    section
}

/// The whole text of a core module, of which `text` has what is special.
pub fn core(text: &str) -> String {
    let mut whole = format!("(module {text}");
    for (head, part) in PARTS {
        if !text.contains(head) {
            whole.push_str(part);
        }
    }
    whole + EXPORTS + ")"
}

/// A component for the world `plugin` from a core module.
///
/// # Errors
/// Where the module's imports or exports are not the world's.
pub fn component(module: &[u8]) -> Result<Vec<u8>, String> {
    encoded(module, &WORLD)
}

fn encoded(module: &[u8], world: &[u8]) -> Result<Vec<u8>, String> {
    let module = [module, world].concat();
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(false).encode())
        .map_err(|error| format!("{error:#}"))
}

/// The component that a text makes; see [`core()`].
///
/// # Panics
/// Where the text is wrong.
pub fn component_of(text: &str) -> Vec<u8> {
    let module = wat::parse_str(core(text)).unwrap_or_else(|error| panic!("{error}"));
    let world = if text.contains(THINGS) { &WORLD_WITH_THINGS } else { &WORLD };
    encoded(&module, world).unwrap_or_else(|error| panic!("{error}"))
}
