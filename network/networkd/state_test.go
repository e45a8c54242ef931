package networkd

import (
	"testing"
	"testing/fstest"
)

func TestReadState(t *testing.T) {
	root := fstest.MapFS{
		LinksDirectory + "/4": {Data: []byte("# This is private data.\nADMIN_STATE=configured\nNETWORK_FILE=/a.network\nNETWORK_FILE_DROPINS=\"/b.conf\"\n")},
		LinksDirectory + "/5": {Data: []byte("ADMIN_STATE=failed\nNETWORK_FILE=/a.network")},
		LinksDirectory + "/7": {Data: []byte("ADMIN_STATE=configuring\nNETWORK_FILE=/a.network")},
		LinksDirectory + "/6": {Data: []byte("ADMIN_STATE")},
	}
	for index, want := range map[int]State{3: {}, 4: {"/a.network", false, true}, 5: {"/a.network", true, true}, 6: {}, 7: {"/a.network", false, false}} {
		if got := ReadState(root, index); got != want {
			t.Errorf("link %d: %+v, want %+v", index, got, want)
		}
	}
}
