// Package export_hookbox_plugin_about is where the generated code finds what
// the plugin says of itself.
package export_hookbox_plugin_about

import types "hookbox/wit/hookbox_plugin_types"

// Exported is set by hookbox.Register.
var Exported func() types.Description

// Describe answers the host.
func Describe() types.Description {
	if Exported == nil {
		panic("no plugin: call hookbox.Register in an init function")
	}
	return Exported()
}
