//! Looking things up in an event that no typed field has.

use crate::Event;

impl Event {
    /// The JSON text of a leaf that no typed field took: the member of
    /// `extra` at this JSON Pointer (RFC 6901).
    ///
    /// Not what a typed field took, and neither an object nor an array, save an
    /// empty one; `at` (with the feature `json`) finds everything. Where a body
    /// has very many leaves under long names, whole objects may stand in
    /// `extra`, and their leaves are not found.
    ///
    /// ```
    /// # use hookbox_sdk::testing::event;
    /// let event = event(r#"{"event":"add_video","data":{"Video":{"id":5,"new":true}}}"#);
    /// assert_eq!(event.extra("/data/Video/new"), Some("true"));
    /// assert_eq!(event.extra("/data/Video/id"), None, "it is `id` of the payload");
    /// ```
    pub fn extra(&self, pointer: &str) -> Option<&str> {
        let member = self.extra.iter().find(|member| member.pointer == pointer)?;
        Some(&member.json)
    }
}
