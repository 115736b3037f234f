/* The whole archive of one layer is linked to this and to what the layer may use; what it uses besides does not link.
 */
int main(void)
{
    return 0;
}
