from tests.flow.small import DAY, AS_OF
import time
def test_fresh(fresh):
    t=time.time(); r=fresh.release(AS_OF); print(r, time.time()-t)
def test_small(small):
    t=time.time(); 
    print(small.window(DAY), time.time()-t)
    for k,v in small.content().items(): print(k,v)
