package container

import (
	"reflect"
	"testing"
)

// fill gives everything in a value another content than zero, so that what is left out is seen.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(-int64(*n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n) % 251)
	case reflect.String:
		v.SetString(string(rune('a' + *n%26)))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("%s: the supervisor cannot tell the first process", v.Type())
	}
}

// The plan arrives as it was sent, whatever is in it.
func TestPack(t *testing.T) {
	var full Inside
	fill(t, reflect.ValueOf(&full).Elem(), new(int))
	for name, plan := range map[string]Inside{"empty": {}, "full": full} {
		data := pack(plan)
		var got Inside
		if err := unpack(data, &got); err != nil || !reflect.DeepEqual(got, plan) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, plan)
		}
		for n := range data { // damaged: an error, or at least an end
			if err := unpack(data[:n], new(Inside)); err == nil {
				t.Errorf("%s: no error after %d of %d bytes", name, n, len(data))
			}
		}
	}
	late := []TreeMount{{Destination: "/mnt", Optional: true}, {Origin: "a:1"}}
	var got []TreeMount
	if err := unpack(pack(late), &got); err != nil || !reflect.DeepEqual(got, late) {
		t.Errorf("got %+v, %v, want %+v", got, err, late)
	}
	if err := unpack(append(pack(late), 0), &got); err == nil {
		t.Error("no error although something is left")
	}
}
