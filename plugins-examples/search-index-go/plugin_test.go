package main

import (
	"slices"
	"strings"
	"testing"

	"hookbox"
	events "hookbox/wit/hookbox_targetvideo_events"
)

func index(status int) *hookbox.Fake {
	host := hookbox.NewFake()
	host.Settings["index_url"] = "https://search.example/videos/"
	host.Settings["api_key"] = "key"
	host.Answer = func(hookbox.Request) (hookbox.Response, error) {
		return hookbox.Response{Status: status}, nil
	}
	return host
}

func added(id string) hookbox.Event {
	video := events.VideoChange{
		Id:   hookbox.Some(id),
		Name: hookbox.Some("Harbour"),
		Tags: hookbox.Some("sea, , ship"),
	}
	return hookbox.Event{Name: "add_video", Payload: events.MakePayloadAddVideo(video)}
}

func deleted(ids ...string) hookbox.Event {
	return hookbox.Event{
		Name:    "delete_video",
		Payload: events.MakePayloadDeleteVideo(events.Deletion{Ids: ids}),
	}
}

func TestAnAddedVideoIsPutIntoTheIndex(t *testing.T) {
	host := index(201)
	if err := host.Deliver(added("5")); err != nil {
		t.Fatal(err)
	}
	sent := host.Requests[0]
	if sent.Method != "PUT" || sent.URL != "https://search.example/videos/documents/5" {
		t.Errorf("sent to %s %s", sent.Method, sent.URL)
	}
	if body := string(sent.Body); body != `{"id":"5","title":"Harbour","tags":["sea","ship"]}` {
		t.Errorf("sent %s", body)
	}
	if !slices.Contains(sent.Headers, [2]string{"authorization", "Bearer key"}) {
		t.Errorf("headers %v", sent.Headers)
	}
}

func TestWhatIsNotInTheIndexIsDeletedAlready(t *testing.T) {
	host := index(404)
	if err := host.Deliver(deleted("5", "6")); err != nil {
		t.Fatal(err)
	}
	if len(host.Requests) != 2 {
		t.Errorf("sent %v", host.Requests)
	}
}

func TestABusyIndexIsTriedAgain(t *testing.T) {
	if err := index(503).Deliver(added("5")); err == nil || hookbox.IsReject(err) {
		t.Errorf("not tried again: %v", err)
	}
}

func TestAnIdThatIsNoPartOfAnAddressIsRejected(t *testing.T) {
	host := index(200)
	err := host.Deliver(added("../5"))
	if !hookbox.IsReject(err) || len(host.Requests) != 0 {
		t.Errorf("not rejected: %v", err)
	}
	if strings.Contains(err.Error(), "../5") {
		t.Errorf("the id is repeated: %v", err)
	}
}
