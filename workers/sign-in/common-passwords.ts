/**
 * The passwords of ten and more letters that guessers try first, in lower case. A longer list of
 * breached passwords comes with the check that sends no password out.
 */
export const commonPasswords: ReadonlySet<string> = new Set(
  `0123456789 01234567890 0987654321 09876543210 1029384756 10203040506 102030405060 11223344556677
   112233445566 1122334455 1212312121 123123123a 1231231234 12341234qwer 12345678900 1234567890
   12345678901 123456789012 1234567890a 1234567890q 1234567891 12345678910 123456789a 123456789abc
   123456789q 12345qwert 12345qwerty 123456qwerty 1234qwerasdf 1234qwerty 123654789a 123qweasdzxc
   123qwe123qwe 1357924680 147258369a 1472583690 159357258456 159753456852 1a2b3c4d5e
   1q2w3e4r5t 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc
   1qaz@wsx3edc 3.1415926535 741852963a 7894561230 789456123a 9876543210 987654321a a123456789
   a1b2c3d4e5 a1b2c3d4e5f6 aa12345678 aa123456789 abc1234567 abc123456789 abcd123456 abcd12345678
   abcde12345 abcdef123456 abcdefghij abcdefghijk abcdefghijkl access123456 adgjmptwadgjmptw admin12345
   admin123456 administrator administrator1 alexander1 alexandria asdf123456 asdfasdfasdf asdfgh12345
   asdfgh123456 asdfghjkl1 asdfghjkl123 asdfghjkl; asdfghjklqwertyuiop azertyuiop azertyuiop123 barcelona1
   basketball basketball1 battlefield blink182182 butterfly1 california california1 changeme123
   changemenow charlie123 chelsea123 chocolate1 christopher christopher1 computer123 correcthorsebatterystaple
   cristiano7 dragonball dragonball1 dragonballz dragon12345 electronic elizabeth1 fender1234 football123
   football1234 fuckyou123 godisgood1 goodluck123 happyfeet1 hello12345 hello123456 helloworld helloworld1
   iloveyou12 iloveyou123 iloveyou1234 iloveyou2u iloveyousomuch internet123 jacqueline january2020
   jesuschrist jesus12345 jesusislord juventus1897 killer12345 letmein123 letmein1234 letmeinplease
   liverpool1 liverpool123 lovelovelove manchester manchester1 manchesterunited maradona10 michael123
   michelle123 mickeymouse minecraft1 minecraft123 monkey12345 monkey123456 mynameisjohn mypassword
   mypassword1 nintendo64 ninja12345 p@ssw0rd12 p@ssw0rd123 p@ssw0rd1234 p@ssword123 pa55word123
   passw0rd12 passw0rd123 passw0rd1234 password00 password01 password10 password11 password12 password123
   password1234 password12345 password123456 password1! password123! password2020 password2021
   password2022 password2023 password2024 password2025 password2026 password21 password22 password23
   password69 password77 password88 password99 passwordpassword performance pokemon123 playstation
   playstation2 playstation3 portugal12 princess12 princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedc1
   qazwsxedc123 qazwsxedcrfv qazwsxedcrfvtgb qwaszx1234 qweasdzxc1 qweasdzxc123 qwer123456 qwerasdfzxcv
   qwert12345 qwert123456 qwerty1234 qwerty12345 qwerty123456 qwerty1234567 qwerty123456789 qwertyqwerty
   qwertyuiop qwertyuiop1 qwertyuiop12 qwertyuiop123 qwertyuiop[] qwertzuiop qwe123qwe123
   realmadrid realmadrid1 rockandroll sandiego12 scoobydoo1 secret1234 secret12345 september1 shadow12345
   skateboard snowboard1 spiderman1 spiderman123 spongebob1 starcraft1 starwars123 strawberry summer2020
   summer2021 summer2022 summer2023 summer2024 summer2025 summer2026 sunshine12 sunshine123 superman12
   superman123 test123456 test1234567 testtest123 thebeatles tinkerbell tinkerbelle trustno1trustno1
   unbelievable universidad university volleyball wachtwoord welcome123 welcome1234 welcome12345
   welcome2020 welcome2021 welcome2022 welcome2023 welcome2024 welcome2025 welcome2026 whatever123
   william123 winter2020 winter2021 winter2022 winter2023 winter2024 winter2025 wolverine1 woaini1314
   woaini520520 woaini5201314 zaq12wsxcde3 zaq1xsw2cde3 zxcvbnm123 zxcvbnm1234 zxcvbnm12345
   zxcvbnmasdfghjkl zxcvbnm,./`.split(/\s+/),
);
