package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// recording is what came when.
type recording []line

type line struct {
	at   time.Duration // since the recording began
	text string        // without its end
}

// header is the first line of a cast.
type header struct {
	Version int `json:"version"`
	Width   int `json:"width"`
	Height  int `json:"height"`
}

// cast returns the recording in the format asciicast v2: a header, then one event of output for each line. Times are rounded to
// hundredths of a second.
func (r recording) cast() (string, error) {
	var out strings.Builder
	write := func(value any) error {
		text, err := json.Marshal(value)
		fmt.Fprintf(&out, "%s\n", text)
		return err
	}
	if err := write(header{2, columns, rows}); err != nil {
		return "", err
	}
	for _, l := range r {
		if err := write([]any{math.Round(l.at.Seconds()*100) / 100, "o", l.text + "\r\n"}); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// parse is the inverse of cast. An error names the line of the text.
func parse(text string) (recording, error) {
	var r recording
	for i, event := range strings.Split(strings.TrimSpace(text), "\n") {
		if i == 0 {
			var h header
			if err := json.Unmarshal([]byte(event), &h); err != nil || h.Version != 2 {
				return nil, fmt.Errorf("line 1: no header of asciicast v2: %q", event)
			}
			continue
		}
		var seconds float64
		var kind, data string
		if err := json.Unmarshal([]byte(event), &[]any{&seconds, &kind, &data}); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		r = append(r, line{time.Duration(seconds*100+0.5) * (time.Second / 100), strings.TrimSuffix(data, "\r\n")})
	}
	return r, nil
}

// failure says what is wrong with a run of the demo: a check that failed, or no end.
func (r recording) failure() error {
	for _, l := range r {
		if strings.HasPrefix(l.text, "FAIL ") {
			return errors.New("no picture of a demo with " + l.text)
		}
	}
	if len(r) == 0 || !strings.HasSuffix(r[len(r)-1].text, "passed, 0 failed") {
		return errors.New("no picture of a demo that did not end")
	}
	return nil
}
