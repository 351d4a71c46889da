// Package export_hookbox_targetvideo_handler is where the generated code finds
// the plugin's handler.
package export_hookbox_targetvideo_handler

import (
	types "hookbox/wit/hookbox_plugin_types"
	events "hookbox/wit/hookbox_targetvideo_events"
	wit "hookbox/wit/types"
)

// Exported is set by hookbox.Register.
var Exported func(events.Event, types.Delivery) wit.Result[wit.Unit, types.Failure]

// Handle answers the host.
func Handle(event events.Event, delivery types.Delivery) wit.Result[wit.Unit, types.Failure] {
	return Exported(event, delivery)
}
