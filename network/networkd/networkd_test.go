package networkd

import (
	"testing"
	"testing/fstest"
)

func TestManages(t *testing.T) {
	root := fstest.MapFS{
		LinksDirectory + "/3": {Data: []byte("# This is private data.\nADMIN_STATE=unmanaged\nOPER_STATE=carrier\n")},
		LinksDirectory + "/4": {Data: []byte("ADMIN_STATE=configured\nNETWORK_FILE=/a.network\n")},
		LinksDirectory + "/5": {Data: []byte("ADMIN_STATE=pending\n")},
		LinksDirectory + "/6": {Data: nil},
	}
	for index, want := range map[int]bool{3: false, 4: true, 5: true, 6: true, 7: true} {
		o := &Owner{Root: root}
		if o.Manages(index) {
			t.Errorf("link %d is managed though networkd does not run", index)
		}
		o.running.Store(true)
		if got := o.Manages(index); got != want {
			t.Errorf("link %d: managed %v, want %v", index, got, want)
		}
	}
}
