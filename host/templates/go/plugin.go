// Counts how often each video was added or edited.
package main

import (
	"fmt"

	"hookbox"
	events "hookbox/wit/hookbox_targetvideo_events"
)

func init() {
	hookbox.Register(hookbox.Plugin{
		Name:    "{{name}}",
		Version: "0.1.0",
		Events:  []string{"add_video", "edit_video"},
		Wants:   []hookbox.Want{hookbox.WantKeyValue()},
		Handle:  handle,
	})
}

func handle(event hookbox.Event, delivery hookbox.Delivery) error {
	var video events.VideoChange
	switch event.Payload.Tag() {
	case events.PayloadAddVideo:
		video = event.Payload.AddVideo()
	case events.PayloadEditVideo:
		video = event.Payload.EditVideo()
	default:
		return hookbox.Reject("%s was not asked for", event.Name)
	}
	if video.Id.IsNone() {
		return hookbox.Reject("the event names no video")
	}
	id := video.Id.Some()
	// Kept only if this returns nil: each delivery counts once.
	changes, err := hookbox.State.Increment("changes:"+id, 1)
	if err != nil {
		return err
	}
	fmt.Printf("video %s, %s: change %d\n", id, video.Name.SomeOr("(no title)"), changes)
	return nil
}

// The host calls handle; there is nothing to do by itself.
func main() {}
