package kernel

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestShiftACL(t *testing.T) {
	// Of the owner, the user 1234 and the group 77; mask and others have no user.
	const entries = "02000000" + "01000600ffffffff" + "02000600d2040000" + "04000400ffffffff" + "080004004d000000" + "10000600ffffffff" + "20000400ffffffff"
	const shifted = "02000000" + "01000600ffffffff" + "02000600d2040a00" + "04000400ffffffff" + "080004004d000a00" + "10000600ffffffff" + "20000400ffffffff"
	for name, test := range map[string]struct {
		start    uint32
		in, want string
	}{
		"there":      {0xA0000, entries, shifted},
		"again":      {0xA0000, shifted, shifted},
		"back":       {0, shifted, entries},
		"truncated":  {0xA0000, "02000000" + "02000600d204", "02000000" + "02000600d204"},
		"no entries": {0xA0000, "02000000", "02000000"},
		"empty":      {0xA0000, "", ""},
	} {
		if got := hex.EncodeToString(ShiftACL(unhex(t, test.in), test.start)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestShiftCapability(t *testing.T) {
	const sets = "00200000" + "00000000" + "00000000" + "00000000"
	for name, test := range map[string]struct {
		start    uint32
		in, want string
	}{
		"2 to 3":           {0xA0000, "01000002" + sets, "01000003" + sets + "00000a00"},
		"3 to 2":           {0, "01000003" + sets + "00000a00", "01000002" + sets},
		"3 to 3":           {0xB0000, "01000003" + sets + "00000a00", "01000003" + sets + "00000b00"},
		"of a container's": {0, "01000003" + sets + "e8030a00", "01000003" + sets + "e8030000"},
		"the same":         {0xA0000, "01000003" + sets + "00000a00", "01000003" + sets + "00000a00"},
		"of the host":      {0, "00000002" + sets, "00000002" + sets},
		"version 1":        {0xA0000, "01000001" + "0020000000000000", "01000001" + "0020000000000000"},
		"version unknown":  {0xA0000, "01000004" + sets, "01000004" + sets},
		"too short for 3":  {0xA0000, "01000003" + sets, "01000003" + sets},
		"empty":            {0xA0000, "", ""},
	} {
		if got := hex.EncodeToString(ShiftCapability(unhex(t, test.in), test.start)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Whatever an image has there: nothing fails, lengths stay, and twice is once.
func FuzzShift(f *testing.F) {
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, value []byte, start uint32) {
		start &^= idMask
		once := ShiftACL(value, start)
		if len(once) != len(value) || !bytes.Equal(ShiftACL(once, start), once) {
			t.Errorf("ACL %x: %x", value, once)
		}
		once = ShiftCapability(value, start)
		if !bytes.Equal(ShiftCapability(once, start), once) {
			t.Errorf("capability %x: %x", value, once)
		}
	})
}
