package packet

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
)

func TestFilter(t *testing.T) {
	vm, err := bpf.NewVM(requestFilter())
	if err != nil {
		t.Fatal(err)
	}
	request := make([]byte, cookieOffset+4)
	request[opOffset] = bootRequest
	binary.BigEndian.PutUint32(request[cookieOffset:], magicCookie)
	reply := append([]byte(nil), request...)
	reply[opOffset] = 2
	for name, test := range map[string]struct {
		packet []byte
		pass   bool
	}{
		"request":    {request, true},
		"reply":      {reply, false},
		"cut":        {request[:len(request)-1], false},
		"no cookie":  {append(request[:cookieOffset:cookieOffset], 0, 0, 0, 0), false},
		"empty":      {make([]byte, udpHeader), false},
		"other port": {nil, false},
	} {
		n, err := vm.Run(test.packet)
		if err != nil || (n > 0) != test.pass {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
