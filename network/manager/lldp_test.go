package manager

import (
	"strings"
	"testing"
	"testing/fstest"
)

// lldpFrames takes what is sent.
type lldpFrames struct{ *host }

func (h lldpFrames) Set(frames map[int][]byte) { h.frames = frames }

func TestEmitLLDP(t *testing.T) {
	h, m := running(t)
	if len(h.frames) > 0 {
		t.Errorf("frames without EmitLLDP=: %v", h.frames)
	}
	h.files["etc/systemd/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[Network]\nEmitLLDP=yes\n")}
	m.Load()
	m.Reconcile(t.Context())
	for index, frame := range h.frames {
		if h.indexOf("ve-web") != index || !strings.Contains(string(frame), "ve-web") || !strings.Contains(string(frame), "host") {
			t.Errorf("on %d: %q", index, frame)
		}
	}
	if len(h.frames) != 1 {
		t.Errorf("%d frames", len(h.frames))
	}
	delete(h.files, "etc/systemd/network/80-ve.network.d/a.conf")
	m.Load()
	m.Reconcile(t.Context())
	if len(h.frames) > 0 {
		t.Errorf("frames after EmitLLDP= has gone: %v", h.frames)
	}
}

// Neighbours are listened to as the file says, on links that are not left to others.
func TestListenLLDP(t *testing.T) {
	h, m := running(t)
	index := h.indexOf("ve-web")
	if got := h.listeners[index]; got.Name != "ve-web" || !got.RoutersOnly {
		t.Errorf("by default %+v", got)
	}
	for _, value := range []string{"yes", "no", "routers-only"} {
		h.files["etc/systemd/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[Network]\nLLDP=" + value + "\n")}
		m.Load()
		m.Reconcile(t.Context())
		if got, on := h.listeners[index]; on != (value != "no") || got.RoutersOnly != (value == "routers-only") {
			t.Errorf("LLDP=%s: %+v", value, h.listeners)
		}
	}
	h.managed[index] = true
	m.Reconcile(t.Context())
	if len(h.listeners) > 0 {
		t.Errorf("of systemd-networkd: %+v", h.listeners)
	}
}

func (h *host) indexOf(name string) int {
	for _, l := range h.links {
		if l.Name == name {
			return l.Index
		}
	}
	return 0
}
