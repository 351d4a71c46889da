//! Bounds of the pure part, in one place. Those an operator can change are in
//! the configuration instead.

/// Levels of nesting that a body may have; the body itself is the first.
/// The vendor's have 4. Deeper bodies are refused, since code that walks them
/// (here and in plugins) may recurse.
pub const NESTING_MAX: usize = 128;

/// Bytes that the pointers in
/// [`Event::extra`](crate::targetvideo::Event::extra) may take together, in
/// addition to [`EXTRA_FACTOR`] times the length of the document. Past that,
/// whole objects and arrays are listed in place of their leaves, so that long
/// names over many leaves cannot multiply a body's size.
pub const EXTRA_BYTES: usize = 64 * 1024;

/// Members of [`Event::extra`](crate::targetvideo::Event::extra), about: past
/// that, whole objects and arrays are listed in place of their leaves.
pub const EXTRA_MEMBERS: usize = 10_000;

/// Renditions without a field of their own that are typed; more stay in
/// [`Event::extra`](crate::targetvideo::Event::extra). The vendor's are about a
/// dozen in all.
pub const RENDITIONS_MAX: usize = 256;

/// See [`EXTRA_BYTES`].
pub const EXTRA_FACTOR: usize = 4;

/// Characters of a source's or a plugin's name.
pub const NAME_CHARS_MAX: usize = 64;
