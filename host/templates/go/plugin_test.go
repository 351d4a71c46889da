package main

import (
	"testing"

	"hookbox"
	events "hookbox/wit/hookbox_targetvideo_events"
)

func added(video events.VideoChange) hookbox.Event {
	return hookbox.Event{Name: "add_video", Payload: events.MakePayloadAddVideo(video)}
}

func TestEachChangeIsCounted(t *testing.T) {
	host := hookbox.NewFake()
	for range 2 {
		if err := host.Deliver(added(events.VideoChange{Id: hookbox.Some("5")})); err != nil {
			t.Fatal(err)
		}
	}
	if count := string(host.State["changes:5"]); count != "2" {
		t.Fatalf("counted %q", count)
	}
}

func TestAnEventWithoutAVideoIsRejected(t *testing.T) {
	host := hookbox.NewFake()
	if err := host.Deliver(added(events.VideoChange{})); !hookbox.IsReject(err) {
		t.Fatalf("not rejected: %v", err)
	}
}
