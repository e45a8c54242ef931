package dissect

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// imageSize is that of the images that are fuzzed: most of them is zeros.
const imageSize = 1 << 30

// FuzzGPT reads any header and entries, with checksums that are right, as those of a hostile image would be.
func FuzzGPT(f *testing.F) {
	for _, parts := range [][]part{{root}, {root, {kind: Home, content: "ext4"}, {kind: ESP}}, {{kind: "usr/x86-64", label: "a"}, {kind: "usr/x86-64", label: "b"}}} {
		image := buildGPT(f, 512, parts...)
		f.Add(image[512:][:gptHeader], image[1024:][:gptEntry*len(parts)])
	}
	f.Fuzz(func(t *testing.T, header, entries []byte) {
		image := make([]byte, 1024+1<<17)
		image[510], image[511], image[446+4] = 0x55, 0xaa, 0xee
		h := image[512:1024]
		copy(h[:gptHeader], header)
		copy(image[1024:], entries)
		length := uint64(binary.LittleEndian.Uint32(h[80:])) * uint64(binary.LittleEndian.Uint32(h[84:]))
		if length < 1<<17 && binary.LittleEndian.Uint64(h[72:]) == 2 {
			binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(image[1024:1024+length]))
		}
		if binary.LittleEndian.Uint32(h[12:]) == gptHeader {
			sealHeader(h)
		}
		checkUsed(t, image)
	})
}

// FuzzMBR reads any rows of partitions, primary and logical.
func FuzzMBR(f *testing.F) {
	image := buildMBR(f, "ext4", [4]int{0x83, 0x80, 64, 100}, [4]int{5, 0, 200, 100})
	f.Add(image[mbrEntries:510], image[mbrEntries:510])
	f.Fuzz(func(t *testing.T, rows, logical []byte) {
		image := make([]byte, 300*sector)
		for i, boot := range [][]byte{rows, logical} {
			place := image[i*200*sector:]
			copy(place[mbrEntries:510], boot)
			place[510], place[511] = 0x55, 0xaa
		}
		checkUsed(t, image)
	})
}

// FuzzFileSystem reads any bytes as the beginning of an image.
func FuzzFileSystem(f *testing.F) {
	for _, name := range []string{"ext4", "squashfs", "vfat", LUKS} {
		image := make([]byte, 2048)
		putFileSystem(f, image, name)
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkUsed(t, data) })
}

// checkUsed checks that what is used of an image is inside of it.
func checkUsed(t *testing.T, data []byte) {
	for _, verity := range []Verity{{}, {RootHash: bytes.Repeat([]byte{1}, 32)}} {
		o := options(t, "*")
		o.Verity = verity
		image, err := Dissect(sparse(data), imageSize, o)
		if err != nil {
			continue
		}
		if image.Find(Root) == nil && image.Find(Usr) == nil {
			t.Error("no root")
		}
		for i, p := range image.Partitions {
			if p.Offset < 0 || p.Size <= 0 || p.Size > imageSize || p.Offset > imageSize-p.Size {
				t.Errorf("%+v is outside", p)
			}
			for _, other := range image.Partitions[:i] {
				if p.Offset < other.Offset+other.Size && other.Offset < p.Offset+p.Size {
					t.Errorf("%+v and %+v overlap", other, p)
				}
			}
		}
	}
}

// sparse is data with zeros behind it.
type sparse []byte

func (s sparse) ReadAt(p []byte, offset int64) (int, error) {
	clear(p)
	if offset < int64(len(s)) {
		copy(p, s[offset:])
	}
	return len(p), nil
}

// FuzzPolicy reads any text as a policy.
func FuzzPolicy(f *testing.F) {
	for _, text := range []string{"", "-", "*", "~", ContainerPolicy, "root=verity+signed:=open", "root=erofs+read-only-on:swap=absent"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		for name, rule := range p.rules {
			if again, err := parseFlags(rule.String()); again != rule || err != nil {
				t.Errorf("%s=%s is read as %s, %v", name, rule, again, err)
			}
		}
	})
}

// FuzzVersions checks that versions have an order.
func FuzzVersions(f *testing.F) {
	f.Add("1.2~rc1", "1.2")
	f.Add("1^", "01-")
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			t.Errorf("%q and %q have no order", a, b)
		}
	})
}
