// Keeps the documents of a search index in step with the videos.
package main

import (
	"encoding/json"
	"strings"

	"hookbox"
	events "hookbox/wit/hookbox_targetvideo_events"
)

func init() {
	hookbox.Register(hookbox.Plugin{
		Name:    "search-index",
		Version: "0.1.0",
		Events:  []string{"add_video", "edit_video", "delete_video"},
		Wants:   []hookbox.Want{hookbox.WantConfig("index_url"), hookbox.WantSecret("api_key")},
		Handle:  handle,
	})
}

// document is what the index gets: the members that the event had.
type document struct {
	ID          string   `json:"id"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Thumbnail   string   `json:"thumbnail,omitempty"`
}

func handle(event hookbox.Event, delivery hookbox.Delivery) error {
	switch event.Payload.Tag() {
	case events.PayloadAddVideo:
		return put("PUT", event.Payload.AddVideo())
	case events.PayloadEditVideo:
		// An edit may hold only what changed.
		return put("PATCH", event.Payload.EditVideo())
	case events.PayloadDeleteVideo:
		return remove(event.Payload.DeleteVideo().Ids)
	default:
		return hookbox.Reject("%s was not asked for", event.Name)
	}
}

// put writes a video's document; doing it again changes nothing.
func put(method string, video events.VideoChange) error {
	if video.Id.IsNone() {
		return hookbox.Reject("the event names no video")
	}
	made := document{
		ID:          video.Id.Some(),
		Title:       video.Name.SomeOr(""),
		Description: video.Description.SomeOr(""),
		Tags:        tags(video.Tags.SomeOr("")),
		Thumbnail:   video.Thumbnail.SomeOr(""),
	}
	body, err := json.Marshal(made)
	if err != nil {
		return hookbox.Reject("no document can be made of it: %s", err)
	}
	if err := send(method, made.ID, body); err != nil {
		return err
	}
	hookbox.Infof("video %s is in the index", made.ID)
	return nil
}

// remove takes videos out of the index. One that is not there is gone already.
func remove(ids []string) error {
	if len(ids) == 0 {
		return hookbox.Reject("the event names no video")
	}
	for _, id := range ids {
		if err := send("DELETE", id, nil); err != nil {
			return err
		}
		hookbox.Infof("video %s is out of the index", id)
	}
	return nil
}

func send(method, id string, body []byte) error {
	if !isPlain(id) {
		return hookbox.Reject("the video's id has more in it than letters, digits, - and _")
	}
	base, found := hookbox.Config("index_url")
	if !found {
		return hookbox.Retry("the setting index_url is missing")
	}
	key, found := hookbox.Config("api_key")
	if !found {
		return hookbox.Retry("the secret api_key is missing")
	}
	headers := [][2]string{{"authorization", "Bearer " + key}}
	if body != nil {
		headers = append(headers, [2]string{"content-type", "application/json"})
	}
	answer, err := hookbox.Send(hookbox.Request{
		Method:  method,
		URL:     strings.TrimSuffix(base, "/") + "/documents/" + id,
		Headers: headers,
		Body:    body,
	})
	if err != nil {
		return err
	}
	if method == "DELETE" && answer.Status == 404 {
		return nil
	}
	return answer.Failure()
}

// tags takes apart what comes as one text with commas.
func tags(text string) []string {
	var found []string
	for tag := range strings.SplitSeq(text, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			found = append(found, tag)
		}
	}
	return found
}

// isPlain is whether an id can be a part of an address as it is.
func isPlain(id string) bool {
	isOther := func(r rune) bool {
		return !strings.ContainsRune("-_", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	return id != "" && !strings.ContainsFunc(id, isOther)
}

// The host calls handle; there is nothing to do by itself.
func main() {}
