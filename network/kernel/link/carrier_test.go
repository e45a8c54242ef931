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
	losses := func(message []byte, losses uint32) []byte {
		message = append(message, 8, 0, unix.IFLA_MTU, 0, 0, 5, 0, 0, 8, 0, unix.IFLA_CARRIER_DOWN_COUNT, 0)
		message = binary.NativeEndian.AppendUint32(message, losses)
		binary.NativeEndian.PutUint32(message, uint32(len(message)))
		return message
	}
	for name, test := range map[string]struct {
		messages  []byte
		before    bool
		now       bool
		nowLosses uint32
	}{
		"lost":        {linkMessage(unix.RTM_NEWLINK, 2, down), true, false, 3},
		"gained":      {linkMessage(unix.RTM_NEWLINK, 2, up), false, true, 3},
		"as before":   {linkMessage(unix.RTM_NEWLINK, 2, up), true, true, 3},
		"flapped":     {losses(linkMessage(unix.RTM_NEWLINK, 2, up), 4), true, true, 4},
		"last of 2":   {join(losses(linkMessage(unix.RTM_NEWLINK, 2, down), 4), losses(linkMessage(unix.RTM_NEWLINK, 2, up), 5)), true, true, 5},
		"other link":  {losses(linkMessage(unix.RTM_NEWLINK, 3, down), 4), true, true, 3},
		"other kind":  {linkMessage(unix.RTM_DELLINK, 2, down), true, true, 3},
		"cut off":     {linkMessage(unix.RTM_NEWLINK, 2, down)[:20], true, true, 3},
		"torn":        {losses(linkMessage(unix.RTM_NEWLINK, 2, down), 4)[:44], true, false, 3},
		"no length":   {make([]byte, 32), true, true, 3},
		"nothing":     {nil, true, true, 3},
		"second of 2": {join(linkMessage(unix.RTM_NEWLINK, 3, up), linkMessage(unix.RTM_NEWLINK, 2, down)), true, false, 3},
	} {
		if now := carrierIn(test.messages, 2, CarrierState{test.before, 3}); now != (CarrierState{test.now, test.nowLosses}) {
			t.Errorf("%s: %+v", name, now)
		}
	}
}
