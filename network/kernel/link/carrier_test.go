package link

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// linkMessage is one of rtnetlink(7).
func linkMessage(kind uint16, index int32, flags uint32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, make([]byte, unix.SizeofNlMsghdr-6+4)...) // and family, type
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return append(b, 0, 0, 0, 0)
}

func TestCarrierIn(t *testing.T) {
	const up, down = unix.IFF_UP | unix.IFF_LOWER_UP, unix.IFF_UP
	join := func(messages ...[]byte) (all []byte) {
		for _, m := range messages {
			all = append(all, m...)
		}
		return all
	}
	for name, test := range map[string]struct {
		messages             []byte
		before, now, changed bool
	}{
		"lost":        {linkMessage(unix.RTM_NEWLINK, 2, down), true, false, true},
		"gained":      {linkMessage(unix.RTM_NEWLINK, 2, up), false, true, true},
		"as before":   {linkMessage(unix.RTM_NEWLINK, 2, up), true, true, false},
		"flapped":     {join(linkMessage(unix.RTM_NEWLINK, 2, down), linkMessage(unix.RTM_NEWLINK, 2, up)), true, true, true},
		"other link":  {linkMessage(unix.RTM_NEWLINK, 3, down), true, true, false},
		"other kind":  {linkMessage(unix.RTM_DELLINK, 2, down), true, true, false},
		"cut off":     {linkMessage(unix.RTM_NEWLINK, 2, down)[:20], true, true, false},
		"no length":   {make([]byte, 32), true, true, false},
		"nothing":     {nil, true, true, false},
		"second of 2": {join(linkMessage(unix.RTM_NEWLINK, 3, up), linkMessage(unix.RTM_NEWLINK, 2, down)), true, false, true},
	} {
		if now, changed := carrierIn(test.messages, 2, test.before); now != test.now || changed != test.changed {
			t.Errorf("%s: %v, %v", name, now, changed)
		}
	}
}
